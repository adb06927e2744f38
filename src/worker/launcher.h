/*
 * launcher.h
 *	  Keeps one scheduler in every database that has the extension.
 */
#ifndef DATABITE_LAUNCHER_H
#define DATABITE_LAUNCHER_H

#include "postgres.h"

/* From _PG_init while shared_preload_libraries is processed. */
extern void launcher_register(void);

/* Entry point of the process. */
extern PGDLLEXPORT void databite_launcher_main(Datum arg);

#endif
