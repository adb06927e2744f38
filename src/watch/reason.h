/*
 * reason.h
 *	  Why an item was rejected, in words of ours.
 */
#ifndef DATABITE_REASON_H
#define DATABITE_REASON_H

/* Of the code of a rejected item. */
extern const char *rejection_reason(const char *code);

#endif
