-- Jira: issues by JQL.  Its times are minutes in the time zone of the user who asks, without an offset: when clocks are put back an hour is
-- there twice, so every run looks an hour back.
SELECT databite.set_token('jira', 'jira-token');

SELECT databite.schedule_job($json$
{
    "id": "jira",
    "source": {
        "type": "api",
        "url": "https://example.atlassian.net/rest/api/3/search/jql",
        "query": {"jql": "updated >= '{{ cursor }}' ORDER BY updated ASC", "fields": "summary,status,updated"},
        "auth": {"type": "basic", "username": "ada@example.com", "password": "{{ tokens.jira }}"},
        "dataPath": "issues",
        "pagination": {
            "type": "cursor",
            "cursorPath": "nextPageToken",
            "cursorParam": "nextPageToken",
            "limit": 100,
            "limitParam": "maxResults",
            "stopWhen": "{{ response.isLast }}"
        },
        "incremental": {"cursorField": "fields.updated", "format": "%Y-%m-%d %H:%M", "timezone": "Europe/Riga", "lookback": "1h"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "key": "{{ item.key }}",
        "summary": "{{ item.fields.summary }}",
        "status": "{{ item.fields.status.name }}",
        "updated_at": "{{ item.fields.updated }}"
    },
    "destination": {
        "type": "database",
        "table": "jira_issues",
        "schema": {"id": "bigint", "key": "text", "summary": "text", "status": "text", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
