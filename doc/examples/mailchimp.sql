-- Mailchimp: the members of a list.  The host has the data centre of the account in front; bounds are exclusive, so every run looks a second
-- back; what is missing is an empty text.
SELECT databite.set_token('mailchimp', 'mailchimp-key');

SELECT databite.schedule_job($json$
{
    "id": "mailchimp",
    "source": {
        "type": "api",
        "url": "https://us1.api.mailchimp.com/3.0/lists/a1b2c3/members",
        "query": {"since_last_changed": "{{ window.from }}", "before_last_changed": "{{ window.to }}", "exclude_fields": "_links,members._links"},
        "auth": {"type": "basic", "username": "any", "password": "{{ tokens.mailchimp }}"},
        "dataPath": "members",
        "pagination": {"type": "offset", "limit": 1000, "limitParam": "count", "totalPath": "total_items"},
        "incremental": {"cursorField": "last_changed", "lookback": "1s", "lag": "1s"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "email": "{{ item.email_address }}",
        "status": "{{ item.status }}",
        "phone": "{{ item.merge_fields.PHONE | nullif(\"\") }}",
        "changed_at": "{{ item.last_changed }}"
    },
    "destination": {
        "type": "database",
        "table": "mailchimp_members",
        "schema": {"id": "text", "email": "text", "status": "text", "phone": "text", "changed_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
