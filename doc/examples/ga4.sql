-- Google Analytics (GA4): a report, day by day in the property's time zone.  Names are in header arrays and values in the rows; what was
-- reported of the last days still changes, so these are read again.
SELECT databite.set_token('google_secret', 'google-secret');
SELECT databite.set_token('google_refresh', 'google-refresh');

SELECT databite.schedule_job($json$
{
    "id": "ga4",
    "source": {
        "type": "api",
        "method": "POST",
        "url": "https://analyticsdata.googleapis.com/v1beta/properties/123456:runReport",
        "body": {
            "dateRanges": [{"startDate": "{{ window.from }}", "endDate": "{{ window.from }}"}],
            "dimensions": [{"name": "date"}, {"name": "country"}],
            "metrics": [{"name": "activeUsers"}]
        },
        "auth": {
            "type": "oauth2",
            "grant": "refresh_token",
            "tokenUrl": "https://oauth2.googleapis.com/token",
            "clientId": "google-client",
            "clientSecret": "{{ tokens.google_secret }}",
            "refreshToken": "{{ tokens.google_refresh }}"
        },
        "dataPath": "rows",
        "zip": [
            {"names": "dimensionHeaders[*].name", "values": "dimensionValues[*].value"},
            {"names": "metricHeaders[*].name", "values": "metricValues[*].value"}
        ],
        "pagination": {"type": "offset", "in": "body", "limit": 100000, "totalPath": "rowCount"},
        "incremental": {"format": "date", "timezone": "Europe/Riga", "initialValue": "2024-05-01T00:00:00+03:00", "lookback": "3d", "step": "1d"},
        "retry": {"idempotent": true},
        "errorWhen": [{"when": "{{ response.rowCount == null or response.rowCount == 0 }}", "action": "empty"}]
    },
    "transform": {"day": "{{ item.date | to_date(\"%Y%m%d\") }}", "country": "{{ item.country }}", "active_users": "{{ item.activeUsers }}"},
    "destination": {
        "type": "database",
        "table": "ga4_users",
        "schema": {"day": "date", "country": "text", "active_users": "bigint"},
        "key": ["day", "country"]
    }
}
$json$);
