/*
 * secret_name.h
 *	  Names by which requests and answers call what is secret.
 */
#ifndef DATABITE_SECRET_NAME_H
#define DATABITE_SECRET_NAME_H

/*
 * Does a member, parameter or header of that name hold a secret, as far as its
 * name tells: "password", "client_secret", "X-Api-Key", "refreshToken"?
 * "token_type" is none.
 */
extern bool is_secret_name(const char *name);

#endif
