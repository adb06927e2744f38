/*
 * html.c
 *	  Texts, numbers and times as a page shows them.
 */
#include "postgres.h"

#include <math.h>

#include "base/clip.h"
#include "utils/timestamp.h"
#include "watch/html.h"

#define MINUTE	60
#define HOUR	(60 * MINUTE)
#define DAY		(24 * HOUR)

void
html_text(StringInfo html, const char *text)
{
	if (text == NULL)
		return;
	for (const char *c = text_clip(text, HTML_MAX_TEXT); *c != '\0'; c++)
	{
		switch (*c)
		{
			case '&':
				appendStringInfoString(html, "&amp;");
				break;
			case '<':
				appendStringInfoString(html, "&lt;");
				break;
			case '>':
				appendStringInfoString(html, "&gt;");
				break;
			case '"':
				appendStringInfoString(html, "&quot;");
				break;
			case '\'':
				appendStringInfoString(html, "&#39;");
				break;
			default:
				appendStringInfoChar(html, *c);
		}
	}
}

void
html_number(StringInfo html, int64 number)
{
	char		digits[32];
	int			len = snprintf(digits, sizeof(digits), INT64_FORMAT, number);

	for (int i = 0; i < len; i++)
	{
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			appendStringInfoChar(html, ',');
		appendStringInfoChar(html, digits[i]);
	}
}

void
html_count(StringInfo html, int64 number, const char *one, const char *many)
{
	html_number(html, number);
	appendStringInfo(html, " %s", number == 1 ? one : many);
}

void
html_seconds(StringInfo html, double seconds)
{
	int64		whole = (int64) rint(Max(seconds, 0));

	if (seconds < 1)
		appendStringInfo(html, "%d ms", (int) rint(Max(seconds, 0) * 1000));
	else if (seconds < 10)
		appendStringInfo(html, "%.1f s", seconds);
	else if (whole < MINUTE)
		appendStringInfo(html, "%d s", (int) whole);
	else if (whole < HOUR)
		appendStringInfo(html, "%d min %d s", (int) (whole / MINUTE), (int) (whole % MINUTE));
	else if (whole < DAY)
		appendStringInfo(html, "%d h %d min", (int) (whole / HOUR), (int) (whole % HOUR / MINUTE));
	else
		appendStringInfo(html, "%d d %d h", (int) (whole / DAY), (int) (whole % DAY / HOUR));
}

void
html_time(StringInfo html, TimestampTz when, TimestampTz now)
{
	int64		seconds = (int64) rint((double) (when - now) / USECS_PER_SEC);
	int64		distance = seconds < 0 ? -seconds : seconds;
	const char *text;

	if (TIMESTAMP_NOT_FINITE(when))
	{
		appendStringInfoString(html, "&ndash;");
		return;
	}
	appendStringInfoString(html, "<time title=\"");
	html_text(html, timestamptz_to_str(when));
	appendStringInfoString(html, "\">");
	if (distance < MINUTE)
		text = psprintf("%d s", (int) distance);
	else if (distance < HOUR)
		text = psprintf("%d min", (int) (distance / MINUTE));
	else if (distance < 2 * DAY)
		text = psprintf("%d h", (int) (distance / HOUR));
	else
		text = psprintf("%d days", (int) (distance / DAY));
	if (seconds > 0)
		appendStringInfo(html, "in %s</time>", text);
	else
		appendStringInfo(html, "%s ago</time>", text);
}
