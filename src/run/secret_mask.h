/*
 * secret_mask.h
 *	  Keeps the secrets that went into requests out of errors.
 */
#ifndef DATABITE_SECRET_MASK_H
#define DATABITE_SECRET_MASK_H

/* From now on, and as long as the process lives, the value is not shown. */
extern void secret_mask_remember(const char *value);

/* The text, or a copy in the current memory context with "***" for each secret in it.  NULL gives NULL. */
extern char *secret_mask_text(char *text);

/* Does the same to all texts of an error that was caught. */
extern void secret_mask_error(ErrorData *error);

#endif
