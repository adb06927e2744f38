/*
 * clip.h
 *	  The beginning of a text, for a message.
 */
#ifndef DATABITE_CLIP_H
#define DATABITE_CLIP_H

/* A copy of the text, or of its beginning and "..." where it is longer than max bytes. */
extern char *text_clip(const char *text, int max);

#endif
