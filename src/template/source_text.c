/*
 * source_text.c
 *	  The text of one template, and what is wrong with it.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "template/source_text.h"

/* A hostile template must not fill the list. */
#define MAX_PROBLEMS 20

/* Characters of a template shown on each side of a place. */
#define CONTEXT_CHARS 40

static char *format_place(const SourceText *source, int position, const char *hint);
static int	step_back(const char *text, int position, int chars);

SourceText *
source_text_create(const char *text, const char *pointer, ProblemList *list)
{
	SourceText *source = palloc0(sizeof(SourceText));

	source->text = text;
	source->len = strlen(text);
	source->pointer = pointer;
	source->list = list;
	source->document = source;
	return source;
}

SourceText *
source_text_create_inner(SourceText *document, const char *text, const char *pointer)
{
	SourceText *source = source_text_create(text, pointer, document->list);

	source->document = document;
	return source;
}

void
source_text_problem(SourceText *source, int position, int sqlstate, const char *hint,
					const char *fmt,...)
{
	StringInfoData message;

	if (++source->document->nproblems > MAX_PROBLEMS)
		return;

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
	problem_add(source->list, sqlstate, source->pointer,
				position < 0 ? hint : format_place(source, position, hint),
				"%s", message.data);
}

bool
source_text_more_problems(const SourceText *source)
{
	return source->document->nproblems < MAX_PROBLEMS;
}

char *
source_text_suggest(const char *word, const char *const *candidates)
{
	return strlen(word) > CLIP_NAME ? NULL : problem_suggest(word, candidates);
}

/*
 * The hint of a problem: what to do, the position, the template around it and
 * a caret under the place.
 */
static char *
format_place(const SourceText *source, int position, const char *hint)
{
	const char *text = source->text;
	int			start = step_back(text, position, CONTEXT_CHARS);
	const char *p = text + start;
	StringInfoData out;
	int			caret = 0;

	initStringInfo(&out);
	if (hint != NULL)
		appendStringInfo(&out, "%s\n", hint);
	appendStringInfo(&out, "at position %d:\n", pg_mbstrlen_with_len(text, position) + 1);
	if (start > 0)
	{
		appendStringInfoString(&out, "...");
		caret = 3;
	}

	for (int chars = 0; *p != '\0' && chars < 2 * CONTEXT_CHARS; chars++)
	{
		/* Line ends and tabs would move the caret away from its place. */
		bool		control = (unsigned char) *p < ' ' || *p == 0x7f;

		if (p < text + position)
			caret += control ? 1 : Max(pg_dsplen(p), 0);
		if (control)
		{
			appendStringInfoChar(&out, ' ');
			p++;
			continue;
		}
		for (int n = pg_mblen(p); n > 0 && *p != '\0'; n--)
			appendStringInfoChar(&out, *p++);
	}
	if (*p != '\0')
		appendStringInfoString(&out, "...");
	appendStringInfoChar(&out, '\n');
	appendStringInfoSpaces(&out, caret);
	appendStringInfoChar(&out, '^');
	return out.data;
}

/*
 * The offset of the character that stands that many characters before position.
 */
static int
step_back(const char *text, int position, int chars)
{
	int			start = 0;
	int			total = pg_mbstrlen_with_len(text, position);

	for (int skip = total - chars; skip > 0; skip--)
		start += pg_mblen(text + start);
	return start;
}
