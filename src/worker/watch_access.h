/*
 * watch_access.h
 *	  Who may see the page and the metrics of the listener.
 */
#ifndef DATABITE_WATCH_ACCESS_H
#define DATABITE_WATCH_ACCESS_H

#include "worker/door.h"

/*
 * The status of the answer: 200 for who may see them; 401: the token is missing or wrong; 403: there is no token, and he is not on
 * this machine; 421: he is, but asks for another one.
 */
extern int	watch_access_status(const DoorRequest *request);

#endif
