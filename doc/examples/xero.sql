-- Xero: invoices.  What changed is asked for by a header; times are /Date(1714564800000+0000)/; a limit a minute is waited for, one a day ends the run.
SELECT databite.set_token('xero_secret', 'xero-secret');

SELECT databite.schedule_job($json$
{
    "id": "xero",
    "source": {
        "type": "api",
        "url": "https://api.xero.com/api.xro/2.0/Invoices",
        "headers": {
            "Accept": "application/json",
            "Xero-Tenant-Id": "00000000-0000-4000-8000-000000000001",
            "If-Modified-Since": "{{ cursor }}"
        },
        "auth": {
            "type": "oauth2",
            "grant": "client_credentials",
            "tokenUrl": "https://identity.xero.com/connect/token",
            "clientId": "xero-client",
            "clientSecret": "{{ tokens.xero_secret }}",
            "clientAuth": "basic",
            "scope": "accounting.transactions.read"
        },
        "dataPath": "Invoices",
        "pagination": {"type": "page", "pageParam": "page", "startPage": 1, "sizeParam": "pageSize", "pageSize": 100},
        "incremental": {"cursorField": "UpdatedDateUTC", "format": "%Y-%m-%dT%H:%M:%S"},
        "onStatus": {
            "403": "skip",
            "429": [{"when": "{{ http.headers[\"x-rate-limit-problem\"] == \"day\" }}", "action": "fail", "message": "the daily limit of Xero is used up"}, "retry"]
        }
    },
    "transform": {
        "id": "{{ item.InvoiceID }}",
        "number": "{{ item.InvoiceNumber }}",
        "status": "{{ item.Status }}",
        "total": "{{ item.Total }}",
        "day": "{{ item.Date | to_datetime }}",
        "updated_at": "{{ item.UpdatedDateUTC | to_datetime }}"
    },
    "destination": {
        "type": "database",
        "table": "xero_invoices",
        "schema": {"id": "uuid", "number": "text", "status": "text", "total": "numeric(14,2)", "day": "date", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
