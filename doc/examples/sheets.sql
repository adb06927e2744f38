-- Google Sheets: a range whose first row has the names.  Cells at the end of a row that are empty are left out; dates are days since 1899-12-30.
SELECT databite.set_token('sheets', 'sheets-key');

SELECT databite.schedule_job($json$
{
    "id": "sheets",
    "source": {
        "type": "api",
        "url": "https://sheets.googleapis.com/v4/spreadsheets/sheet-id/values/Stock!A:D",
        "query": {"valueRenderOption": "UNFORMATTED_VALUE", "dateTimeRenderOption": "SERIAL_NUMBER"},
        "auth": {"type": "api_key", "in": "query", "name": "key", "value": "{{ tokens.sheets }}"},
        "dataPath": "values",
        "zip": "header"
    },
    "transform": {
        "sku": "{{ item.sku }}",
        "name": "{{ item.name }}",
        "counted_on": "{{ ((item.counted - 25569) * 86400) | from_unix | to_date }}",
        "note": "{{ item.note }}"
    },
    "destination": {
        "type": "database",
        "table": "sheets_stock",
        "schema": {"sku": "text", "name": "text", "counted_on": "date", "note": "text"},
        "key": "sku"
    }
}
$json$);
