/*
 * writer.h
 *	  The process of a parallel writer.
 */
#ifndef DATABITE_WRITER_H
#define DATABITE_WRITER_H

#include "postgres.h"

/* Entry point of the process. */
extern PGDLLEXPORT void databite_writer_main(Datum arg);

#endif
