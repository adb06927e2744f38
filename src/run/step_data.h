/*
 * step_data.h
 *	  The inside of a step that runs, shared by the files that run it.
 *
 * A step reads listings: chains of pages, each of which follows from the one
 * before.  There is one, or one for each window of time, or one for each row of a parent
 * step; and a listing whose pages can be told beforehand is split into parts,
 * which are listings too.  Every listing has at most one request in flight, so
 * so many listings are read at once as there may be requests.  All of them
 * deliver into one batch.
 *
 *	step_loop.c		which steps are under way, and whose turn it is
 *	step.c			prepare, sources that are no API, the end
 *	supply.c		which listings are opened, and when
 *	parent_state.c	what is kept of each row of a parent step
 *	listing.c		one listing: its pages, what responses lead to
 *	parent_rows.c	what requests are made of
 *	step_request.c	scopes and requests
 *	deliveries.c	what a webhook has brought, in place of listings
 *	step_items.c	bytes to items of the batch
 *	step_memory.c	who may hold how much memory
 *	step_write.c	the batch to the table, with counters and checkpoint
 *	flush.c			that again, where it fails
 *	step_stage.c	what a pass gathers before it is published
 *	step_parallel.c	the batch to parallel writers, in rounds
 *	step_origins.c	which items of the source those of the batch are
 *	changing.c		what tells that the source has changed meanwhile
 *	checkpoint.c	the checkpoint as JSON
 */
#ifndef DATABITE_STEP_DATA_H
#define DATABITE_STEP_DATA_H

#include "catalog/rejected_catalog.h"
#include "catalog/state_catalog.h"
#include "destination/write_plan.h"
#include "run/auth.h"
#include "run/cursor.h"
#include "run/parents.h"
#include "run/request_plan.h"
#include "run/response_rules.h"
#include "run/sql_source.h"
#include "run/step.h"
#include "source/pagination.h"
#include "source/rate_limit.h"

typedef struct StepRun StepRun;
struct WriterPart;
struct Rounds;

/* What the transaction of a batch is about. */
typedef enum FlushStage
{
	FLUSH_BOOKS,				/* databite's own tables */
	FLUSH_ITEMS,				/* the items */
	FLUSH_COMMIT				/* all is done but the commit */
} FlushStage;

/* What a page gives that is asked for by the last item's value of a field (keyset, restart). */
typedef enum KeyBound
{
	BOUND_UNKNOWN,
	BOUND_FROM,					/* items from that value on: what has it comes again */
	BOUND_BEHIND				/* items behind it */
} KeyBound;

typedef struct Listing
{
	StepRun    *sr;
	MemoryContext memory;		/* lives as long as the listing */
	MemoryContext page_memory;	/* reset at every page */
	MemoryContext base_memory;	/* of base; reset when it is rendered anew */
	MemoryContext pager_memory; /* reset with every window of a parent */
	struct Listing *whole;		/* the listing that this is a part of, or NULL */
	bool		split;			/* it has no page of its own any more: its parts do */
	bool		ended;			/* a split one: there are no more parts to be had just now */
	int			open_parts;
	bool		given_up;		/* a split one of which a part has failed: it ends with the parts that are open */

	CursorWindow window;		/* from NULL: none */
	ParentRow  *parent;			/* NULL: none */
	Cursor	   *cursor;			/* the step's, or its parent's */
	Jsonb	   *scopes;			/* what rules over its responses see beside them: step_transform_scopes */
	bool		skipped;		/* a page of it was left out by a rule that says so */
	int64		delivery;		/* of a webhook, that it reads; 0: none */
	char	   *webhook;		/* what templates see of that, JSON; NULL: nothing, or no template asks */
	const char *sent_token;		/* the sync token that it asks with, or NULL */
	char	   *new_token;		/* that its last page gave, or NULL */

	HttpRequest *base;			/* as it was rendered; NULL for items that are no answer to a request */
	int			rendered;		/* sr->renderings at that time, or NOT_RENDERED */
	Pager	   *pager;
	Fetch	   *fetch;			/* the page that is being read; NULL: none */
	int			token;			/* the access token of this request: auth_session_token */
	bool		token_replaced; /* after a 401 */
	int			restarts;		/* of the listing, by a rule */
	bool		conditional;	/* the request asks for what has changed only */
	bool		held;			/* a part that failed while earlier ones are open: it may be behind the end */

	ItemReader *reader;
	bool		reading;		/* bytes of the page have come */
	bool		unreadable;		/* the reader has failed, and a rule may know better what the body is */
	char	   *beginning;		/* of the body, MAX_BEGINNING bytes; NULL: nobody asks for it, or none has come */
	size_t		beginning_len;
	int64		body_len;		/* so far, where somebody asks for its beginning */
	int64		skip;			/* items of the page that are in the table already */
	uint64		skip_print;		/* their fingerprint; 0: not known */
	bool		smaller;		/* they came with a greater page than is asked for now */
	int			retaken;		/* times that the page was asked for again, as they had changed */
	Bitmapset  *fresh;			/* positions in the batch of those that came since, where a rule may say that it is no page */
	int64		withdrawn;		/* of this try, as a rule has said that */
	char	   *last_value;		/* pagination_watched_path in the last item, or NULL */
	bool		last_is_number;
	bool		repeats;		/* two items next to each other had one value */
	KeyBound	bound;			/* what its pages begin with */
	ItemContext *context;		/* of the items of this page, in all tries; NULL: no template asks for it, or none has come */
	bool		context_complete;	/* it has the response, where the transform looks at that */
} Listing;

struct StepRun
{
	RunContext *run;
	const JobStep *step;
	MemoryContext memory;		/* lives as long as the step */
	MemoryContext write_memory; /* reset after every batch */
	MemoryContext loop_memory;	/* reset whenever something has come */

	/* Known after prepare. */
	StepState	state;
	TimestampTz pass_started;	/* of the first run of this pass */
	WritePlan  *plan;
	int			scopes_used;	/* TEMPLATE_SCOPE_ of the transform's templates */
	Jsonb	   *scopes;			/* $1 of the transform */
	Cursor	   *cursor;
	RequestPlan *request_plan;	/* api */
	AuthSession *auth;
	bool		masked;			/* requests are only shown */
	ResponseRules *rules;		/* or NULL */
	FetchPolicy policy;
	SqlSource  *sql;			/* sql */
	int			wish;			/* requests in flight that the definition lets it have */
	int			concurrency;	/* those for which it has memory */
	MemoryBudget budget;
	bool		windowed;		/* incremental.step */
	bool		done;			/* complete, in an earlier run that this one goes on with */
	List	   *wanted;			/* of ParentDelivery *: what later steps ask for in requests */
	char	   *stage_relation; /* of a pass that has not ended, or NULL */
	bool		stage_lost;		/* there is none that such a pass could go on with */

	/* Where the pass stands: see checkpoint.c. */
	List	   *listings;		/* of Listing *, open */
	bool		opened_first;	/* the first listing has been opened, or the first window or parent looked for */
	char	   *next_window;	/* where the next window begins; NULL: no more */
	int64		next_parent;	/* the next parent's number */
	bool		parents_done;
	int64		parents_left_out;	/* rows that got no request in this run */
	int64		last_delivery;	/* the delivery that was read last, or 0 */
	int64	   *delivered;		/* ids of deliveries that are completely in the batch, or behind it */
	int			ndelivered;
	int			delivered_room;
	List	   *unread;			/* of UnreadDelivery *: that cannot be read, behind the last flush */
	List	   *prepared;		/* of Listing *: of parents behind next_parent, rendered but not open */
	int64		position;		/* items of this pass that are done with: in the table, or rejected and the like */
	int64		rejected;		/* items of this pass */
	int64		taken;			/* items of this pass that were neither rejected nor skipped */
	char	   *first_reason;	/* of an item of this run that was rejected, or NULL */
	char	   *sync_token;		/* that the last page of the step's one listing gave, or NULL */
	bool		sync_token_expired;	/* the saved one is of no use any more */
	List	   *ended_parents;	/* of ParentState *: of listings that have ended, not written yet */
	MemoryContext ended_memory; /* of them */
	bool		parents_go_on;	/* a listing of the pass has asked with what an earlier one had left for its parent */
	int64		new_parents;	/* rows for which none has left anything, of this run */
	char	   *etag;			/* of the first page, or NULL */
	char	   *last_modified;
	char	   *validators_for; /* the request that they belong to */
	bool		unchanged;		/* 304: the source has nothing new */
	int			left_out;		/* pages that a rule has left out */
	int			pages_changed;	/* since some of their items were written */
	bool		shorter;		/* a list has become shorter while it was read */
	int64		clock_lead;		/* microseconds by which our clock may be ahead of the source's; -1: it has not told */

	/* Beside other steps: see step_loop.c. */
	bool		begun;			/* it may be read from and written for */
	bool		exhausted;		/* it has nothing to read any more */
	int			fair_share;		/* requests in flight that it gives up to none of them */
	int64		page;			/* RunContext.page, when it is its turn again */
	int64		items;			/* of the run's that are counted: those of this step */
	RunCounters written;		/* likewise; its requests, retries and bytes are not known */

	/* While items are read. */
	uint32		turn;			/* whose bytes are looked at first */
	size_t		inline_read;	/* bytes of source.items */
	bool		array_begun;	/* of the rows of a query */
	int			renderings;		/* goes up when requests must be rendered anew */
	List	   *idle_readers;	/* of ItemReader * */
	size_t		held;			/* see step_memory.c */
	Listing    *holder;			/* or NULL */
	MemoryContext context_memory;	/* of ItemContexts; reset with the batch */
	ItemBatch  *batch;
	int			cursor_path;	/* cell of the batch's items that has cursorField, or -1 */
	int			watched_path;	/* likewise what the pagination looks at */
	bool		sampling;		/* readers read whole items */
	bool		list_noticed;
	int64		pages_done;
	bool		asks_for_token; /* and is not back from that */
	bool		incomplete;		/* a listing of the pass was given up: see shortfall.c */
	char	   *failed_window;	/* where the first window begins that was, or NULL */
	TimestampTz last_flush;
	struct Rounds *rounds;		/* step_parallel.c; NULL: there are no writers (yet) */

	/* Where there are parallel writers: see step_origins.c. */
	bool		has_origins;
	MemoryContext origin_memory;	/* of the three that follow; reset with the batch */
	List	   *origins;		/* of OriginStretch *: where the batch's items come from */
	Bitmapset  *withdrawn;		/* items of the batch that are none of the source's after all */
	Bitmapset  *in_table;		/* items of the batch that are in the table already */
	List	   *done_items;		/* of DoneItems *: what is in the table that the checkpoint does not have */
	bool		done_forgotten;	/* and is to be forgotten with the next checkpoint */

	bool		finished;		/* this flush is the last */
	FlushStage	stage;
	ErrorData  *given_up;		/* the items of the batch are rejected with it instead of being written, or NULL */
	bool		cancelled;
	RunCounters counters;		/* of the run, with this batch */
};

/* The base is of another page, or of one of another size. */
#define NOT_RENDERED	(-1)

/* More than performance.concurrency and parallel.maxConcurrency may be. */
#define MAX_REQUESTS	256

/* Lines in history for each kind of thing that was left out. */
#define MAX_NOTED		20

/* Bytes of a body that rules see where it cannot be read as items; as of an error's (source/fetch.h). */
#define MAX_BEGINNING	(64 * 1024)

/* step.c */

/*
 * Begins a step: all that comes before its first request.  It is among run->active
 * then, until step_free.  done: it was complete already, in an earlier run that this one goes on with.
 */
extern StepRun *step_begin(RunContext *run, const JobStep *step);

/* Reads some more of a source that is no API. */
extern void step_read_piece(StepRun *sr);

/* Everything has been read: writes the rest, and what the next run begins with. */
extern void step_end(StepRun *sr);
extern void step_free(StepRun *sr);

/* Is it the only one of the run that has not ended? */
extern bool step_is_last(const StepRun *sr);

/* Compiles the rules over responses, and says how requests are treated, in the step's memory. */
extern void step_make_policy(StepRun *sr, ProblemList *problems);

/* step_watch.c */

/* How many items the run will have had when the steps that are under way end, as far as their sources tell; or -1. */
extern int64 step_total_items(const StepRun *sr);

/* Tells those who watch how things stand before the next wait; waiting_for: NULL is whatever the requests of all steps wait for. */
extern void step_watch(const StepRun *sr, const char *waiting_for);

/* The same of a wait whose end is known. */
extern void step_watch_wait(const StepRun *sr, const char *waiting_for, TimestampTz until);

/* step_log.c */

/* Its beginning, and its end with what it has written; not where it is the only one, as the run's lines say the same. */
extern void step_log_begin(StepRun *sr);
extern void step_log_end(StepRun *sr);

/* What has been committed since the counters were these. */
extern void step_log_batch(StepRun *sr, const RunCounters *before);

/* step_request.c */

/* Rows that a step delivers, for those who look at what a job would do. */
typedef struct DeliveredRows
{
	const JobStep *step;
	List	   *rows;			/* of char *: JSON objects */
} DeliveredRows;

/*
 * The first listing of a step as it would be opened now, in the current
 * transaction, for those who look at what a job would do.  delivered (of
 * DeliveredRows *): what the steps before it give.  NULL where its requests are made of rows
 * of another step, and that gives none.  masked: secrets are "***" and no token is asked for.
 */
extern Listing *step_sketch(RunContext *run, const JobStep *step, const List *delivered, bool masked);

/* Sets the step's cursor, and $1 of its transform, from its state; in the current context. */
extern void step_make_cursor(StepRun *sr);

/* $1 of the transform's templates, in the current transaction and context. */
extern Jsonb *step_transform_scopes(const StepRun *sr, const Cursor *cursor);

/* Renders the listing's base request, in the current transaction; its page is the pager's. */
extern void step_render(Listing *listing);

/* What templates of a transform see beside the item: page, window, parent; response NULL while it is not known. */
extern char *step_context_json(const Listing *listing, const char *response);

/* parent_rows.c */

/*
 * What the next requests are made of (ParentRow *): the rows behind next_parent, or batches of them, some at a time; sets
 * parents_done.  In a transaction.
 */
extern List *parent_rows_next(StepRun *sr);

/* The first of that if these were all rows (char *, JSON objects); NULL where none gets a request. */
extern ParentRow *parent_rows_first(const StepRun *sr, const List *rows);

/* supply.c */

/*
 * Opens listings while there may be more requests in flight, and there are fewer than most
 * (supply_in_flight).  False where there is nothing left to open (just now).
 */
extern bool supply_open(StepRun *sr, int most);

/* Requests that wait for an answer, or whose body comes. */
extern int	supply_in_flight(const StepRun *sr);

/* Other steps have had less than their share: the next page of a listing waits until supply_open begins it. */
extern bool supply_gives_way(const StepRun *sr);

/* Takes up the listings of a checkpoint again; seen: of the parent's own cursor, or NULL. */
extern Listing *supply_reopen(StepRun *sr, const CursorWindow *window, const ParentRow *parent, const char *seen, Listing *whole,
							  const char *page);

/* The lower bound behind which every window is complete; NULL where there are no windows. */
extern const char *supply_finished_windows(const StepRun *sr);

/* A listing, without a request yet. */
extern Listing *listing_create(StepRun *sr);

/* Which of the windows it reads; a copy. */
extern void listing_set_window(Listing *listing, const CursorWindow *window);

/* parent_state.c */

/* Has each row of the parent step a cursor of its own? */
extern bool parent_state_is_own(const StepRun *sr);

/* Has a listing of such a row ask from where that stands; seen: what an earlier run of the pass has seen, or NULL. */
extern void parent_state_begin(Listing *listing, const ParentRow *row, const char *seen);

/* The listing is complete: what it has come to is written with its last items. */
extern void parent_state_ended(Listing *listing);

/* What has ended since the last flush, in the current context. */
extern List *parent_state_copy_ended(const StepRun *sr);

/* It is written, in the current transaction; then it is done with. */
extern void parent_state_write(StepRun *sr, const List *ended);
extern void parent_state_forget_ended(StepRun *sr);

/* The step is complete: has the history of the run tell which rows had no state. */
extern void parent_state_note_new(StepRun *sr);

/* listing_request.c */

/* Sees to it that credentials are fresh and the base of the listing's requests is rendered. */
extern void listing_prepare_request(Listing *listing);

/* Renders the base, in a transaction of its own. */
extern void listing_render(Listing *listing);

/* The request of the listing's page after that, in the current context. */
extern HttpRequest *listing_request(Listing *listing);

/* Asks it for what has changed since a sync token. */
extern bool listing_sends_sync_token(const Listing *listing);

/* The page is complete: keeps what it said of itself that outlives it. */
extern void listing_keep_page_state(Listing *listing);

/* listing.c */

/* Sends the request of the listing's page. */
extern void listing_begin_page(Listing *listing);

/*
 * Has the same request sent with a new access token, once; false where that was
 * done or there is none to be had.  Only when its fetch may be judged.
 */
extern bool listing_replace_token(Listing *listing);

/* What the rules of the step say of the response that has come; readable: see items_body. */
extern void listing_judge_success(const Listing *listing, bool readable, ResponseVerdict *verdict);
extern void listing_judge_error(const Listing *listing, ResponseVerdict *verdict);

/* Reads what has come of it; the listing may be gone when this returns. */
extern void listing_read(Listing *listing);

/*
 * All parts of a split one have ended: true where it goes on with a request for its next window, else it is gone,
 * as one is that was given up.
 */
extern bool listing_parts_ended(Listing *listing);

/* Closes it, whatever its state. */
extern void listing_close(Listing *listing);

/* It has failed: closes it and opens no more of the whole; its other parts go on to their ends. */
extern void listing_give_up(Listing *listing);

/* deliveries.c */

/* Reads the next of them. */
extern void deliveries_read_some(StepRun *sr);

/* In the transaction of a flush: what was written is kept no longer, what cannot be read is set aside and told of. */
extern void deliveries_settle(StepRun *sr, WriteCounts *counts);

/* That is committed. */
extern void deliveries_forget_settled(StepRun *sr);

typedef struct WaitingDelivery
{
	char	   *items;			/* a JSON list, or where the list is looked for */
	char	   *webhook;		/* what templates see of it, JSON */
} WaitingDelivery;

/* In a transaction: some of those that the next run would read, of WaitingDelivery *. */
extern List *deliveries_waiting(StepRun *sr);

/* step_items.c */

/* Begins a document: the body of a page, or items of another source. */
extern void items_begin(Listing *listing, const char *content_type);
extern void items_push(Listing *listing, const char *data, size_t len);

/* Tells the reader, which has begun, what kind of body comes. */
extern void items_begin_body(Listing *listing, const char *content_type);

/* Keeps the beginning of a success's body, if there are rules that may ask for it. */
extern void items_keep_beginning(Listing *listing, const char *data, size_t len);

/* The reader has failed: raises its error, or holds it back where a rule may know better. */
extern void items_fail(Listing *listing);

/* The reader has failed, and what is kept of the body is all that rules get to see: no more of it is wanted. */
extern bool items_are_given_up(const Listing *listing);

/* What rules see of the body of a success: the envelope, or the body's beginning where it could not be read. */
extern const char *items_body(const Listing *listing, bool readable, size_t *len);

/* The document is complete; false where it is wrong, which items_check then raises (a rule may know better). */
extern bool items_finish(Listing *listing);
extern void items_check(Listing *listing, bool right);

/* What has come of the page is none of its items: as many as are in the batch are not written. */
extern void items_withdraw(Listing *listing);

/* Items of the page that are in the batch or the table. */
extern int64 items_delivered(const Listing *listing);

/* Is it time to write what the batch holds, though it is not full? */
extern bool items_flush_is_due(const StepRun *sr);

/*
 * So many milliseconds may pass without anything to be read before what the
 * batch holds is to be written; -1: any number.
 */
extern int64 items_longest_pause(const StepRun *sr);

/* False while something is in the batch of which it is not known yet whether, or with what, it is written. */
extern bool items_may_be_written(const StepRun *sr);

/* The fingerprint of the items that items_delivered counts; 0: not known. */
extern uint64 items_print(const Listing *listing);

/* changing.c */

/* Items of the batch from that number on have just come: is the field unique by which pages are asked for? */
extern void changing_look_at_keys(Listing *listing, int first);

/* The page is complete: why pages may leave items out, or NULL. */
extern const char *changing_key_problem(Listing *listing, const char **hint);

/* Of another listing, or the same from its beginning. */
extern void changing_forget_keys(Listing *listing);

/* The page is complete, and before it the total was that (or -1). */
extern void changing_look_at_total(Listing *listing, int64 before);

/*
 * The page is complete, and items of it were there already: true where it is to
 * be asked for again, as those are not the same any more.
 */
extern bool changing_wants_page_again(Listing *listing);

/* A response has begun: what it says of the source's clock. */
extern void changing_look_at_clock(const Listing *listing);

/*
 * When the pass began, by the source's clock where ours is ahead; an upper bound
 * of what was asked for (in the cursor's own form, or NULL), or that time where it is
 * earlier; and the line in history for that.
 */
extern TimestampTz changing_pass_started(const StepRun *sr);
extern const char *changing_bound(const StepRun *sr, const char *bound);

/* cursor_next, with that. */
extern const char *changing_next_cursor(const StepRun *sr, const Cursor *cursor, const char *saved);
extern void changing_note_clock(const StepRun *sr);

/* step_memory.c */

/*
 * Lays down what each part of the step may hold, of its share of what the run may: fewer
 * requests may be in flight than are wanted.
 */
extern void step_make_budget(StepRun *sr);

/* How things stand; then, of each listing, whether there is memory for more of its bytes.  It is there for at least one. */
extern void step_look_at_memory(StepRun *sr);
extern bool step_memory_lets_read(Listing *listing);

/* What waits for a flush beside items has grown so large that it should not wait for them. */
extern bool step_memory_wants_flush(const StepRun *sr);

/* Until the end of the transaction of the run that is open. */
extern void step_lower_work_mem(const StepRun *sr);

/* step_write.c */

/* Where a step stands when it has read a batch; becomes its checkpoint when that is written. */
typedef struct StepPlace
{
	int64		pages;			/* complete since the last one */
	List	   *ended_parents;	/* of ParentState *: of listings that have ended since the last one */
	char	   *checkpoint;		/* checkpoint_place; NULL: none is needed */
	const char *finished_window;	/* supply_finished_windows, or NULL */
} StepPlace;

/*
 * Writes and commits what the batch holds, with counters and checkpoint; or hands it to the parallel writers.  Raises an error
 * where the run's time is over.
 */
extern void step_flush(StepRun *sr);

/* The same whatever the time. */
extern void step_write(StepRun *sr);

/* The counters that have been committed are the run's. */
extern void step_take_counters(StepRun *sr);

/* As the list of rejected items has it: without secrets. */
extern RejectedRecord step_rejected_record(const RejectedItem *item);

extern void step_add_counts(RunCounters *counters, const WriteCounts *counts);

/* What the plan did to a table that exists goes to the run's history, with what is written in the same transaction. */
extern void step_note_changes(StepRun *sr);

/* flush.c */

/*
 * Runs work(run, sr) in a transaction, again where errors and the definition are such, with sr->given_up where
 * the batch's items are not to be written but rejected.  Raises what ends the run.  In sr->write_memory.
 */
extern void flush_write(StepRun *sr, void (*work) (RunContext *run, void *arg));

/* step_stage.c */

/* Looks for the stage of a pass that has not ended. */
extern void step_stage_find(StepRun *sr);

/* Takes it up again, or makes a new one if the table is known. */
extern void step_stage_begin(StepRun *sr, bool goes_on);

/* The table has become known. */
extern void step_stage_make(StepRun *sr);

/* Publishes what has been gathered, with the last rows; the stage is gone then. */
extern void step_stage_finish(StepRun *sr, WriteCounts *counts);

/* Why what the pass has read is not all that the source has; NULL: it is all. */
extern const char *step_is_part(const StepRun *sr);

/* Has later steps of the run know that. */
extern void step_note_part(const StepRun *sr);

/*
 * The parts of that, each in a transaction.  step_write_items: rows and
 * rejected items; step_take_place: copies to the current context; step_record: what was
 * written when the step stood there.
 */
extern void step_lock_extension(void);
extern void step_write_items(StepRun *sr, WriteCounts *counts);
extern void step_take_place(StepRun *sr, StepPlace *place);
extern void step_record(StepRun *sr, WriteCounts *counts, const StepPlace *place, bool last);

/* The batch is taken care of. */
extern void step_batch_done(StepRun *sr);

/* step_parallel.c */

/* Does the step have parallel writers, as soon as there is use for them? */
extern bool rounds_possible(const StepRun *sr);

/* Makes room in the step's budget for what the writers hold. */
extern void rounds_bound_memory(StepRun *sr);

/* A batch has been written and more may come: starts writers. */
extern void rounds_begin(StepRun *sr);

/*
 * Hands the batch to the writers.  False where the run is to write it: then all
 * that the writers had is in the table, with its checkpoint.
 */
extern bool rounds_take(StepRun *sr);

/* Items and pages that the writers have and that are in no counter yet. */
extern void rounds_outstanding(const StepRun *sr, int64 *items, int64 *pages);

/* The step is complete, or has failed with that error: the writers end. */
extern void rounds_end(StepRun *sr);
extern void rounds_abandon(StepRun *sr, const ErrorData *error);

/* In a transaction: takes up what writers of an earlier run have committed of this pass. */
extern void rounds_take_up(StepRun *sr);

/* In a transaction of its own, in the process of a writer: writes the part, and that it is written. */
extern void rounds_write_part(StepRun *sr, const struct WriterPart *part, WriteCounts *counts);

/* The paths of the plan as a text; in the current context. */
extern char *step_paths_text(const WritePlan *plan);

/* step_origins.c */

/* The batch's items from that number on have just come of the listing's page. */
extern void origins_note(Listing *listing, int first);

/* These are none of its page's. */
extern void origins_withdraw(StepRun *sr, const Bitmapset *items);

/* With the batch. */
extern void origins_forget(StepRun *sr);

/* Which items those of the batch are: JSON in the current context.  items: their numbers, rising. */
extern char *origins_json(const StepRun *sr, const int *items, int nitems);

/* Such items are in the table. */
extern void origins_add_done(StepRun *sr, const char *json);

/* What pages are asked for now are not those that earlier runs have read. */
extern void origins_forget_done(StepRun *sr);

/* checkpoint.c */

/*
 * Of a step that is complete, in a run that is not; partial: step_is_part; incomplete: all has been read of it that
 * could be; kept: see checkpoint_is_kept.
 */
extern const char *checkpoint_done(bool partial, bool incomplete, bool kept);
extern bool checkpoint_is_done(const char *checkpoint, bool *partial, bool *incomplete);

/* A failure leaves it, of whichever step: what was written cannot be written again. */
extern bool checkpoint_is_kept(const char *checkpoint);

/* When the pass began that it is of. */
extern TimestampTz checkpoint_started_at(const char *checkpoint);

/* All in the current memory context.  The checkpoint is the place with what has been counted up to it. */
extern void checkpoint_read(StepRun *sr);
extern char *checkpoint_place(StepRun *sr);
extern char *checkpoint_write(const StepRun *sr, const char *place);

#endif
