-- GitHub: the issues of a repository, those that changed since the last run.
-- Pages by Link header; a limit shows as 403 or 429 with x-ratelimit-* or Retry-After.
SELECT databite.set_token('github', 'github-token');

SELECT databite.schedule_job($json$
{
    "id": "github",
    "source": {
        "type": "api",
        "url": "https://api.github.com/repos/postgres/postgres/issues",
        "headers": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        "query": {"state": "all", "sort": "updated", "direction": "asc", "per_page": "100", "since": "{{ cursor }}"},
        "auth": {"type": "bearer", "token": "{{ tokens.github }}"},
        "dataPath": "$",
        "pagination": {"type": "link"},
        "incremental": {"cursorField": "updated_at"},
        "rateLimit": {"remainingHeader": "x-ratelimit-remaining", "resetHeader": "x-ratelimit-reset", "resetIs": "time"},
        "onStatus": {
            "403": [
                {"when": "{{ http.headers[\"x-ratelimit-remaining\"] == \"0\" or http.headers[\"retry-after\"] != null }}", "action": "retry"},
                "fail"
            ]
        }
    },
    "transform": {
        "id": "{{ item.id }}",
        "number": "{{ item.number }}",
        "title": "{{ item.title }}",
        "state": "{{ item.state }}",
        "author": "{{ item.user.login }}",
        "updated_at": "{{ item.updated_at }}"
    },
    "destination": {
        "type": "database",
        "table": "github_issues",
        "schema": {"id": "bigint", "number": "integer", "title": "text", "state": "text", "author": "text", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
