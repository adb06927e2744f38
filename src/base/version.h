/*
 * version.h
 *	  The version of this library, and of the SQL script that it comes with.
 */
#ifndef DATABITE_VERSION_H
#define DATABITE_VERSION_H

#define DATABITE_VERSION "1.0"

#endif
