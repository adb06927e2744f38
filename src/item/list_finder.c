/*
 * list_finder.c
 *	  Which value of a response is the list of items.
 *
 * See list_finder.h.  A finder lives as long as its context and is begun anew
 * for each document.
 *
 * Two lists where one is asked for, and a step of the path that occurs twice, fail at
 * once: items may have been delivered, and it is not known which are meant.  No
 * list at all fails at the end, when the envelope is complete and can say why.
 */
#include "postgres.h"

#include "item/list_finder.h"
#include "utils/memutils.h"

/* Names under which responses have their list, where no data path is stated. */
static const char *const usual_names[] = {
	"data", "items", "results", "records", "rows", "entries", "values",
	"list", "objects", "elements", "content", "documents", NULL
};

#define MAX_SEEN_NAMES	8		/* members of the root that a hint can name */
#define MAX_NAME_LEN	64		/* longer ones are not named */

typedef struct FinderLevel
{
	const JsonPathStep *step;	/* the step that leads on from here; NULL: any usual name */
	bool		is_object;
	bool		matched;		/* a member or element was it */
	int			position;		/* elements that were met */
} FinderLevel;

typedef struct SeenName
{
	char		name[MAX_NAME_LEN + 1];
	bool		is_list;		/* or an object */
} SeenName;

struct ListFinder
{
	const JsonPath *data_path;	/* NULL: the root or a usual name */
	char	   *path_text;
	int			nwalk;			/* steps to the list */
	const JsonPathStep *walk;
	int			nitem;			/* steps from its elements to the items */
	bool		members;		/* the list is an object */

	/* of the document */
	int			depth;
	FinderLevel *levels;
	bool		on_path;		/* the value that begins next may be, or have, the list */
	bool		found;			/* a list, a null in its place, or no element that could have one */
	const char *list_path;
	const char *usual;			/* usual name at hand */
	int			reached;		/* steps of the path that there were */
	char		reached_value;	/* first byte of the value there */
	char		name[MAX_NAME_LEN + 1]; /* the root's member at hand, if it can be named */
	int			nseen;
	SeenName	seen[MAX_SEEN_NAMES];
	char		problem[512];	/* empty: none */
	char		hint[512];
};

static bool leads_to_many(const JsonPathStep *step);
static bool leads_into_object(const JsonPathStep *step);
static bool is_step(const FinderLevel *level, const char *name, size_t len);
static FinderAction enter_array(ListFinder *finder);
static FinderAction value_at_list(ListFinder *finder, char first);
static FinderAction value_under_usual_name(ListFinder *finder, char first);
static bool inside_all(const ListFinder *finder);
static void remember_name(ListFinder *finder, char first);
static void explain_missing(ListFinder *finder);
static void explain_hint(ListFinder *finder);
static char *print_steps(const JsonPathStep *steps, int nsteps);
static char *print_place(const ListFinder *finder, int nsteps);
static const char *usual_name(const char *name, size_t len);
static const char *kind_name(char first);

ListFinder *
finder_create(const JsonPath *data_path, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ListFinder *finder = palloc0(sizeof(ListFinder));

	finder->data_path = data_path;
	if (data_path != NULL)
	{
		int			last_all = -1;	/* or .* */

		finder->path_text = json_path_print(data_path);
		for (int i = 0; i < data_path->nsteps; i++)
		{
			if (leads_to_many(&data_path->steps[i]))
				last_all = i;
		}
		finder->walk = data_path->steps;
		finder->nwalk = (last_all >= 0) ? last_all : data_path->nsteps;
		finder->nitem = (last_all >= 0) ? data_path->nsteps - last_all - 1 : 0;
		finder->members = (last_all >= 0 && data_path->steps[last_all].kind == PATH_MEMBERS);
	}
	finder->levels = palloc0((finder->nwalk + 1) * sizeof(FinderLevel));
	MemoryContextSwitchTo(old);
	return finder;
}

bool
finder_has_members(const ListFinder *finder)
{
	return finder->members;
}

int
finder_item_steps(const ListFinder *finder, const JsonPathStep **steps)
{
	if (finder->nitem > 0)
		*steps = finder->data_path->steps + finder->nwalk + 1;
	return finder->nitem;
}

int
finder_longest_name(const ListFinder *finder)
{
	int			longest = MAX_NAME_LEN;

	for (int i = 0; i < finder->nwalk; i++)
	{
		if (finder->walk[i].kind == PATH_KEY)
			longest = Max(longest, finder->walk[i].keylen);
	}
	return longest;
}

void
finder_begin(ListFinder *finder)
{
	finder->depth = 0;
	finder->on_path = true;
	finder->found = false;
	finder->list_path = NULL;
	finder->usual = NULL;
	finder->reached = -1;
	finder->nseen = 0;
	finder->name[0] = '\0';
	finder->problem[0] = '\0';
	finder->hint[0] = '\0';
	for (int i = 0; i < finder->nwalk; i++)
	{
		if (finder->walk[i].kind == PATH_INDEX && finder->walk[i].index < 0)
			snprintf(finder->problem, sizeof(finder->problem),
					 "the path \"%.200s\" to the list counts from the end, which is known only after the list has gone by",
					 finder->path_text);
	}
}

bool
finder_member(ListFinder *finder, const char *name, size_t len)
{
	FinderLevel *level = &finder->levels[finder->depth - 1];

	if (finder->depth == 1)
	{
		bool		nameable = (len > 0 && len <= MAX_NAME_LEN);

		memcpy(finder->name, name, nameable ? len : 0);
		finder->name[nameable ? len : 0] = '\0';
	}
	if (finder->data_path == NULL)
	{
		finder->usual = usual_name(name, len);
		finder->on_path = (finder->usual != NULL);
		return true;
	}
	if (level->step->kind == PATH_MEMBERS)
	{
		finder->on_path = true;
		level->position++;
		return true;
	}
	finder->on_path = is_step(level, name, len);
	if (!finder->on_path)
		return true;
	if (level->matched)
	{
		char	   *place = print_steps(finder->walk, finder->depth);

		snprintf(finder->problem, sizeof(finder->problem),
				 "the response has \"%.200s\" twice, on the way to the list of items", place);
		pfree(place);
		return false;
	}
	level->matched = true;
	return true;
}

void
finder_element(ListFinder *finder)
{
	FinderLevel *level = &finder->levels[finder->depth - 1];

	if (level->step == NULL)
	{
		/* it is no empty object */
		if (finder->problem[0] == '\0')
			explain_missing(finder);
		finder->on_path = false;
		level->position++;
		return;
	}
	finder->on_path = level->step->kind == PATH_ALL || level->step->index == level->position;
	level->position++;
}

FinderAction
finder_value(ListFinder *finder, char first)
{
	FinderLevel *level;

	if (finder->depth == 1 && finder->levels[0].is_object)
		remember_name(finder, first);
	if (finder->problem[0] != '\0' || !finder->on_path)
		return FINDER_SKIP;
	if (finder->data_path == NULL && finder->depth > 0)
		return value_under_usual_name(finder, first);
	if (finder->depth >= finder->reached)
	{
		finder->reached = finder->depth;
		finder->reached_value = first;
	}
	if (finder->depth == finder->nwalk && (finder->data_path != NULL || first != '{'))
		return value_at_list(finder, first);

	level = &finder->levels[finder->depth];
	level->step = (finder->data_path != NULL) ? &finder->walk[finder->depth] : NULL;
	level->is_object = (level->step == NULL || leads_into_object(level->step));
	level->matched = false;
	level->position = 0;
	if (first == (level->is_object ? '{' : '['))
	{
		finder->depth++;
		return FINDER_ENTER;
	}
	if (first == '[' && level->step != NULL && level->step->kind == PATH_MEMBERS)
		return enter_array(finder);
	if (inside_all(finder) && first != 'n')
		explain_missing(finder);
	return FINDER_SKIP;
}

/*
 * An array where an object of items or of ways to them is looked for.  Where it is
 * empty it is an empty object: languages that have one type for both, such as
 * PHP, write it like that.  Its level has no step.
 */
static FinderAction
enter_array(ListFinder *finder)
{
	FinderLevel *level = &finder->levels[finder->depth++];

	level->step = NULL;
	level->is_object = false;
	level->matched = false;
	level->position = 0;
	return FINDER_ENTER;
}

void
finder_leave(ListFinder *finder)
{
	FinderLevel *level = &finder->levels[--finder->depth];

	/* No element, so none without a list. */
	if ((level->step == NULL ? !level->is_object : leads_to_many(level->step)) && level->position == 0)
		finder->found = true;
}

int
finder_depth(const ListFinder *finder)
{
	return finder->depth;
}

bool
finder_in_object(const ListFinder *finder)
{
	return finder->levels[finder->depth - 1].is_object;
}

bool
finder_is_object_at(const ListFinder *finder, int depth)
{
	return finder->levels[depth - 1].is_object;
}

bool
finder_finish(ListFinder *finder)
{
	if (finder->problem[0] == '\0' && !finder->found)
		explain_missing(finder);
	return finder->problem[0] == '\0';
}

const char *
finder_problem(const ListFinder *finder, const char **hint)
{
	*hint = finder->hint[0] != '\0' ? finder->hint : NULL;
	return finder->problem;
}

const char *
finder_list_path(const ListFinder *finder)
{
	return finder->list_path;
}

/* The value to which all steps of the path have led. */
static FinderAction
value_at_list(ListFinder *finder, char first)
{
	char		opening = finder->members ? '{' : '[';

	if (first == '[' && finder->members)
		return enter_array(finder);
	if (first != opening && first != 'n')
	{
		explain_missing(finder);
		return FINDER_SKIP;
	}
	finder->found = true;
	finder->list_path = (finder->data_path != NULL) ? finder->path_text : "$";
	return first == opening ? FINDER_LIST : FINDER_SKIP;
}

static FinderAction
value_under_usual_name(ListFinder *finder, char first)
{
	if (first == 'n')
	{
		/* An empty list, unless a real one follows. */
		if (finder->list_path == NULL)
			finder->found = true;
		return FINDER_SKIP;
	}
	if (first != '[')
		return FINDER_SKIP;
	if (finder->list_path != NULL)
	{
		snprintf(finder->problem, sizeof(finder->problem),
				 "the response has two lists, \"%s\" and \"%s\"", finder->list_path, finder->usual);
		snprintf(finder->hint, sizeof(finder->hint),
				 "set dataPath to the one that has the items, such as \"%s\"", finder->list_path);
		return FINDER_FAIL;
	}
	finder->found = true;
	finder->list_path = finder->usual;
	return FINDER_LIST;
}

static bool
leads_to_many(const JsonPathStep *step)
{
	return step->kind == PATH_ALL || step->kind == PATH_MEMBERS;
}

static bool
leads_into_object(const JsonPathStep *step)
{
	return step->kind == PATH_KEY || step->kind == PATH_MEMBERS;
}

static bool
is_step(const FinderLevel *level, const char *name, size_t len)
{
	return level->step->keylen == len && memcmp(level->step->key, name, len) == 0;
}

/* The value that begins next is in some element of an [*], or member of a .*. */
static bool
inside_all(const ListFinder *finder)
{
	for (int i = 0; i < finder->depth; i++)
	{
		if (finder->levels[i].step != NULL && leads_to_many(finder->levels[i].step))
			return true;
	}
	return false;
}

/* Keeps the name of the root's member at hand, if it may hold the list. */
static void
remember_name(ListFinder *finder, char first)
{
	SeenName   *seen;

	if ((first != '[' && first != '{') || finder->name[0] == '\0' || finder->nseen == MAX_SEEN_NAMES)
		return;
	seen = &finder->seen[finder->nseen++];
	strlcpy(seen->name, finder->name, sizeof(seen->name));
	seen->is_list = (first == '[');
}

/* Says in problem how far the path went. */
static void
explain_missing(ListFinder *finder)
{
	char	   *place;

	explain_hint(finder);
	if (finder->data_path == NULL)
	{
		if (finder->reached_value == '{')
			snprintf(finder->problem, sizeof(finder->problem), "no list of items in the response");
		else
			snprintf(finder->problem, sizeof(finder->problem),
					 "no list of items in the response: it is %s", kind_name(finder->reached_value));
		return;
	}

	place = print_place(finder, finder->reached);
	if (finder->reached < finder->nwalk &&
		finder->reached_value == (leads_into_object(&finder->walk[finder->reached]) ? '{' : '['))
	{
		char	   *step = print_steps(finder->walk + finder->reached, 1);

		snprintf(finder->problem, sizeof(finder->problem),
				 "no %s of items at \"%.150s\": %.150s has no \"%.100s\"", finder->members ? "object" : "list",
				 finder->path_text, place, step);
		pfree(step);
	}
	else
		snprintf(finder->problem, sizeof(finder->problem),
				 "no %s of items at \"%.150s\": %.150s is %s", finder->members ? "object" : "list", finder->path_text, place,
				 kind_name(finder->reached_value));
	pfree(place);
}

/* Names the root's lists, or else its objects, in hint. */
static void
explain_hint(ListFinder *finder)
{
	int			nlists = 0;
	int			named = 0;
	size_t		len;

	for (int i = 0; i < finder->nseen; i++)
		nlists += finder->seen[i].is_list;
	if (finder->nseen == 0)
	{
		if (finder->data_path == NULL && finder->reached_value == '{')
			snprintf(finder->hint, sizeof(finder->hint), "it may be an error or a single record, check the url");
		return;
	}
	if (nlists > 0)
		len = snprintf(finder->hint, sizeof(finder->hint), "set dataPath to %s", nlists > 1 ? "one of " : "");
	else
		len = snprintf(finder->hint, sizeof(finder->hint), "set dataPath to the list inside of ");
	for (int i = 0; i < finder->nseen; i++)
	{
		JsonPathStep step = {.kind = PATH_KEY, .key = finder->seen[i].name, .keylen = strlen(finder->seen[i].name)};
		char	   *path;

		if (nlists > 0 && !finder->seen[i].is_list)
			continue;
		path = print_steps(&step, 1);
		/* what does not fit whole is left out */
		if (len + strlen(path) + 8 < sizeof(finder->hint))
			len += snprintf(finder->hint + len, sizeof(finder->hint) - len, "%s\"%s\"",
							named++ > 0 ? (nlists > 0 ? ", " : " or ") : "", path);
		pfree(path);
	}
}

/* The steps as a path, palloc'd. */
static char *
print_steps(const JsonPathStep *steps, int nsteps)
{
	JsonPath	path = {.nsteps = nsteps, .steps = unconstify(JsonPathStep *, steps)};

	return json_path_print(&path);
}

/* What the first steps of the path lead to, as a subject of a sentence; palloc'd. */
static char *
print_place(const ListFinder *finder, int nsteps)
{
	char	   *path;
	char	   *place;

	if (nsteps <= 0)
		return pstrdup("the response");
	path = print_steps(finder->walk, nsteps);
	place = psprintf("\"%s\"", path);
	pfree(path);
	return place;
}

static const char *
usual_name(const char *name, size_t len)
{
	for (int i = 0; usual_names[i] != NULL; i++)
	{
		if (strlen(usual_names[i]) == len && memcmp(usual_names[i], name, len) == 0)
			return usual_names[i];
	}
	return NULL;
}

/* What kind of value begins with the byte. */
static const char *
kind_name(char first)
{
	switch (first)
	{
		case '{':
			return "an object";
		case '[':
			return "a list";
		case '"':
			return "a string";
		case 't':
		case 'f':
			return "a boolean";
		case 'n':
			return "null";
		default:
			return "a number";
	}
}
