/*
 * problem.c
 *	  The list of what is wrong with a job definition.
 */
#include "postgres.h"

#include "base/problem.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

/* Words longer than any key or name of ours are not compared. */
#define MAX_SUGGEST_LEN 63

/* More edits than this make another word, not a mistyped one. */
#define MAX_SUGGEST_EDITS 2

static bool normalize_word(const char *word, char *normalized);
static int	word_distance(const char *a, const char *b, int limit);

ProblemList *
problem_list_create(MemoryContext context)
{
	ProblemList *list = MemoryContextAllocZero(context, sizeof(ProblemList));

	list->context = context;
	return list;
}

void
problem_add(ProblemList *list, int sqlstate, const char *pointer,
			const char *hint, const char *fmt,...)
{
	MemoryContext old = MemoryContextSwitchTo(list->context);
	Problem    *problem = palloc0(sizeof(Problem));
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&message, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}

	problem->sqlstate = sqlstate;
	problem->pointer = pstrdup(pointer);
	problem->message = message.data;
	problem->hint = hint ? pstrdup(hint) : NULL;
	list->problems = lappend(list->problems, problem);

	MemoryContextSwitchTo(old);
}

void
problem_raise_first(ProblemList *list)
{
	Problem    *first;
	int			more;
	StringInfoData detail;

	if (list->problems == NIL)
		return;

	first = linitial(list->problems);
	more = list_length(list->problems) - 1;
	initStringInfo(&detail);
	if (first->pointer[0] != '\0')
		appendStringInfo(&detail, _("It is at \"%s\"."), first->pointer);
	if (more > 0)
	{
		const char *format = ngettext("There is %d more problem; databite.validate_job shows all.",
									  "There are %d more problems; databite.validate_job shows all.", more);

		appendStringInfo(&detail, "%s%s", detail.len > 0 ? " " : "", psprintf(format, more));
	}

	ereport(ERROR,
			(errcode(first->sqlstate),
			 errmsg("%s", first->message),
			 detail.len > 0 ? errdetail_internal("%s", detail.data) : 0,
			 first->hint ? errhint("%s", first->hint) : 0));
}

char *
problem_suggest(const char *word, const char *const *candidates)
{
	char		normalized[MAX_SUGGEST_LEN + 1];
	const char *nearest = NULL;
	int			nearest_distance;

	if (!normalize_word(word, normalized))
		return NULL;

	/* At least a letter must be left of a short word. */
	nearest_distance = Min(MAX_SUGGEST_EDITS, (int) strlen(normalized) - 1) + 1;

	for (; *candidates != NULL; candidates++)
	{
		char		candidate[MAX_SUGGEST_LEN + 1];
		int			distance;

		if (!normalize_word(*candidates, candidate))
			continue;
		distance = word_distance(normalized, candidate, nearest_distance - 1);
		/* Where more is wrong than right, it should at least begin alike. */
		if (2 * distance > (int) strlen(normalized) && candidate[0] != normalized[0])
			continue;
		if (distance < nearest_distance)
		{
			nearest = *candidates;
			nearest_distance = distance;
		}
	}

	return nearest ? psprintf("did you mean \"%s\"?", nearest) : NULL;
}

/*
 * Takes out what people spell differently: case, and '_' or '-' between the
 * parts of a word.  False where the word is too long to be compared.
 */
static bool
normalize_word(const char *word, char *normalized)
{
	int			len = 0;

	for (; *word != '\0'; word++)
	{
		if (*word == '_' || *word == '-')
			continue;
		if (len == MAX_SUGGEST_LEN)
			return false;
		normalized[len++] = pg_ascii_tolower((unsigned char) *word);
	}
	normalized[len] = '\0';
	return true;
}

/* Edits from a to b; more than limit where they are farther apart. */
static int
word_distance(const char *a, const char *b, int limit)
{
	return varstr_levenshtein_less_equal(a, strlen(a), b, strlen(b), 1, 1, 1, limit, true);
}
