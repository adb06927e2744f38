/*
 * header_line.h
 *	  What a line of a response's header says of the response itself.
 *
 * Called inside of libcurl: nothing here raises an error.
 */
#ifndef DATABITE_HEADER_LINE_H
#define DATABITE_HEADER_LINE_H

/* The status of "HTTP/1.1 200 OK"; libcurl has checked that there is one. */
extern int	header_line_status(const char *line, size_t len);

/* Does it say where the body ends in a way by which it could not be told that the body was cut short? */
extern bool header_line_misframes(const char *line, size_t len);

#endif
