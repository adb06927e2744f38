/*
 * decoding_definition.c
 *	  How a response becomes items: format, dataPath, zip.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

const Choice format_choices[] = {
	{"json", FORMAT_JSON},
	{"ndjson", FORMAT_NDJSON},
	{"csv", FORMAT_CSV},
	{NULL}
};

static void read_zip_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);

static const KeyRule zip_rules[] = {
	{.name = "names", .types = VALUE_STRING, .parse = read_zip_path, .flags = KEY_REQUIRED, FIELD(JobZip, names)},
	{.name = "values", .types = VALUE_STRING, .parse = read_zip_path, .flags = KEY_REQUIRED, FIELD(JobZip, values)},
	{NULL}
};

/* The one path that may lead to all members of an object. */
void
read_data_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	JsonPath  **field = rule_field(rule, target);
	char	   *error = NULL;
	JsonPath   *path = json_path_parse_items(json_object_get_string(value), &error);

	if (path == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write a path as \"data.items\", \"$[1]\", \"data[*].order\" or \"rates.*\".",
					"\"%s\" is not a path: %s", rule->name, error);
	else if (field != NULL)
		*field = path;
}

/* "header", or a list of pairs. */
void
read_zip(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		 const char *pointer, void *target)
{
	List	  **zip = rule_field(rule, target);

	*zip = NIL;
	if (value_is(value, VALUE_STRING))
	{
		JobZip	   *part = palloc0(sizeof(JobZip));

		part->header_row = true;
		*zip = list_make1(part);
		if (strcmp(json_object_get_string(value), "header") != 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
						"Write \"header\" where the first row of the list has the names.",
						"unknown value \"%s\" of \"%s\"", clip_text(json_object_get_string(value)), rule->name);
		return;
	}

	if (json_object_array_length(value) == 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must not be empty", rule->name);
	for (int i = 0; i < json_object_array_length(value); i++)
	{
		struct json_object *element = json_object_array_get_idx(value, i);
		char	   *place = pointer_index(pointer, i);
		JobZip	   *part = palloc0(sizeof(JobZip));

		if (!check_type(problems, element, VALUE_OBJECT, "a pair of names and values", place))
			continue;
		read_object(problems, element, place, zip_rules, ~0U, NULL, part);
		*zip = lappend(*zip, part);
	}
}

void
check_decoding(ProblemList *problems, const char *pointer, const JobSource *source)
{
	bool		has_list = source->format != FORMAT_NDJSON && source->format != FORMAT_CSV;
	const JobZip *zip = source->zip != NIL ? linitial(source->zip) : NULL;

	if (!has_list && source->data_path != NULL && source->data_path->nsteps > 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "dataPath"),
					"Every line or row is an item: leave it out.",
					"\"dataPath\" does not go with format \"%s\"", source->format == FORMAT_CSV ? "csv" : "ndjson");
	if (zip == NULL)
		return;
	if (source->format == FORMAT_CSV)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "zip"),
					"The rows of CSV are under the names of its header row: leave it out.",
					"\"zip\" does not go with format \"csv\"");
	else if (!has_list && !zip->header_row)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "zip"),
					"Write \"header\" where the first line has the names.",
					"there is nothing before the lines of format \"ndjson\" that could have names");
	if (source->data_path != NULL && json_path_has(source->data_path, PATH_MEMBERS))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "zip"), NULL,
					"\"zip\" goes with a list of rows, and \"dataPath\" leads to the members of an object");
}

/* A path with one [*] at most, whose elements are the names or values. */
static void
read_zip_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JsonPath  **field = rule_field(rule, target);
	int			nall = 0;

	read_path(problems, rule, value, pointer, target);
	for (int i = 0; *field != NULL && i < (*field)->nsteps; i++)
		nall += ((*field)->steps[i].kind == PATH_ALL);
	if (nall > 1)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have no more than one [*]", rule->name);
}
