/*
 * log_level.h
 *	  How much a line of a log matters.
 */
#ifndef DATABITE_LOG_LEVEL_H
#define DATABITE_LOG_LEVEL_H

/* A greater one matters more. */
typedef enum LogLevel
{
	LEVEL_NOT_STATED,
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARNING,
	LEVEL_ERROR
} LogLevel;

#endif
