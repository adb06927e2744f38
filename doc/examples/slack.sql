-- Slack: the messages of each channel.  Errors come with status 200; ts is a number with six decimals, in a string, and the key of a
-- message in its channel.  All channels are read to the same point in time ("latest"), as they have one cursor together.
SELECT databite.set_token('slack', 'slack-token');

SELECT databite.schedule_job($json$
{
    "id": "slack",
    "steps": [
        {
            "id": "channels",
            "source": {
                "type": "api",
                "url": "https://slack.com/api/conversations.list",
                "auth": {"type": "bearer", "token": "{{ tokens.slack }}"},
                "dataPath": "channels",
                "pagination": {"type": "cursor", "cursorPath": "response_metadata.next_cursor", "cursorParam": "cursor", "limit": 200, "limitParam": "limit"},
                "errorWhen": "{{ response.ok == false }}",
                "errorMessage": "{{ response.error }}"
            },
            "transform": {"id": "{{ item.id }}", "name": "{{ item.name }}"},
            "destination": {"type": "database", "table": "slack_channels", "schema": {"id": "text", "name": "text"}, "key": "id"}
        },
        {
            "id": "messages",
            "dependsOn": ["channels"],
            "source": {
                "type": "api",
                "url": "https://slack.com/api/conversations.history",
                "query": {"channel": "{{ channels.id }}", "oldest": "{{ window.from }}", "latest": "{{ window.to }}", "inclusive": "true"},
                "auth": {"type": "bearer", "token": "{{ tokens.slack }}"},
                "dataPath": "messages",
                "pagination": {"type": "cursor", "cursorPath": "response_metadata.next_cursor", "cursorParam": "cursor", "limit": 200, "limitParam": "limit"},
                "incremental": {"cursorField": "ts", "format": "epoch_float", "lag": "1m"},
                "errorWhen": [
                    {"when": "{{ response.ok == false and response.error == \"ratelimited\" }}", "action": "retry"},
                    {"when": "{{ response.ok == false and response.error == \"not_in_channel\" }}", "action": "skip"},
                    {"when": "{{ response.ok == false }}", "action": "fail", "message": "Slack says {{ response.error }}"}
                ]
            },
            "transform": {
                "channel_id": "{{ channels.id }}",
                "ts": "{{ item.ts }}",
                "sent_at": "{{ item.ts | decimal | from_unix }}",
                "author": "{{ item.user }}",
                "message": "{{ item.text }}"
            },
            "destination": {
                "type": "database",
                "table": "slack_messages",
                "schema": {"channel_id": "text", "ts": "text", "sent_at": "timestamptz", "author": "text", "message": "text"},
                "key": ["channel_id", "ts"]
            }
        }
    ]
}
$json$);
