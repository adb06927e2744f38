/*
 * request_definition.c
 *	  The parts of a request: headers, query and body.
 *
 * What is fixed here cannot break out of its place: the name of a header is a
 * token and its value has no line break.  What a template puts there is checked
 * when the request is rendered.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

static List *read_parameters(ProblemList *problems, struct json_object *object, const char *pointer);
static bool check_parameter(ProblemList *problems, const char *name, struct json_object *value,
							const char *pointer);
static bool has_control_character(const char *text);

/* {"Accept": "application/json", "X-Version": 2} */
void
read_headers(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	JobSource  *source = target;

	json_object_object_foreach(value, name, header)
	{
		char	   *place = pointer_key(pointer, name);

		if (!is_header_name(name))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place,
						"A header's name has letters, digits and !#$%&'*+-.^_`|~ only.",
						"\"%s\" is not the name of a header", name);
		else if (!check_type(problems, header, VALUE_SCALAR, psprintf("header \"%s\"", name), place))
			continue;
		else if (has_control_character(json_object_get_string(header)))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place, NULL,
						"header \"%s\" has a line break or another control character", name);
		else
			source->headers = lappend(source->headers, job_named_value(name, header, place));
	}
}

/* {"since": "{{last_sync_time}}", "limit": 100, "expand": ["lines", "customer"]} */
void
read_query(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobSource  *source = target;

	source->query = read_parameters(problems, value, pointer);
}

/*
 * An object or array is sent as JSON, a string as it is.  An object whose one
 * key is "form", with an object in it, is sent as a form.
 */
void
read_body(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobSource  *source = target;
	struct json_object *form;

	if (value_is(value, VALUE_OBJECT) && json_object_object_length(value) == 1 &&
		json_object_object_get_ex(value, "form", &form) && value_is(form, VALUE_OBJECT))
	{
		source->body_kind = BODY_FORM;
		source->body_form = read_parameters(problems, form, pointer_key(pointer, "form"));
		return;
	}

	source->body_kind = value_is(value, VALUE_STRING) ? BODY_TEXT : BODY_JSON;
	source->body = job_value(value, pointer);
}

bool
is_header_name(const char *name)
{
	if (name[0] == '\0')
		return false;

	for (; *name != '\0'; name++)
	{
		bool		is_alnum = (*name >= 'a' && *name <= 'z') ||
			(*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9');

		if (!is_alnum && strchr("!#$%&'*+-.^_`|~", *name) == NULL)
			return false;
	}
	return true;
}

/* The members of a query or form: of JobNamedValue *. */
static List *
read_parameters(ProblemList *problems, struct json_object *object, const char *pointer)
{
	List	   *parameters = NIL;

	json_object_object_foreach(object, name, value)
	{
		char	   *place = pointer_key(pointer, name);

		if (check_parameter(problems, name, value, place))
			parameters = lappend(parameters, job_named_value(name, value, place));
	}
	return parameters;
}

/* A parameter is a scalar, or an array of scalars that repeats it. */
static bool
check_parameter(ProblemList *problems, const char *name, struct json_object *value,
				const char *pointer)
{
	char	   *what = psprintf("parameter \"%s\"", name);
	bool		valid = true;

	if (name[0] == '\0')
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"the name of a parameter must not be empty");
		return false;
	}
	if (!check_type(problems, value, VALUE_SCALAR | VALUE_ARRAY, what, pointer))
		return false;
	if (!value_is(value, VALUE_ARRAY))
		return true;

	for (int i = 0; i < json_object_array_length(value); i++)
		valid &= check_type(problems, json_object_array_get_idx(value, i), VALUE_SCALAR,
							psprintf("an element of %s", what), pointer_index(pointer, i));
	return valid;
}

static bool
has_control_character(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (((unsigned char) *text < ' ' && *text != '\t') || *text == 0x7f)
			return true;
	}
	return false;
}
