/*
 * validators.h
 *	  Is a text an e-mail address, a phone number, a URL, a UUID?
 *
 * Asked by the filters validate_email and its like, and by the rules of a
 * definition.
 */
#ifndef DATABITE_VALIDATORS_H
#define DATABITE_VALIDATORS_H

typedef enum ValidatorKind
{
	VALIDATOR_EMAIL,
	VALIDATOR_PHONE,
	VALIDATOR_URL,
	VALIDATOR_UUID
} ValidatorKind;

/* The text, in the database's encoding, is one of that kind. */
extern bool validator_accepts(ValidatorKind kind, const char *text, int len);

/* Finds a kind by its name: "email", "phone", "url", "uuid"; false if there is none. */
extern bool validator_find(const char *name, ValidatorKind *kind);

#endif
