#include "postgres.h"
#include "run/auth.h"
struct AuthSession {int x;};
AuthSession *auth_session_create(const JobSource *source, ProblemList *problems, MemoryContext context){ return MemoryContextAllocZero(context,sizeof(AuthSession)); }
bool auth_session_refresh(AuthSession *session, RunContext *run, Jsonb *scopes){return false;}
bool auth_session_expired(AuthSession *session){return false;}
void auth_session_apply(AuthSession *session, HttpRequest *request, bool masked){}
const char *auth_session_scope(const AuthSession *session){return "null";}
