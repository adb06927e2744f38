-- GitHub: who contributed to a repository.  The server answers 202 and nothing while it counts; it is asked again then.
SELECT databite.set_token('github', 'github-token');

SELECT databite.schedule_job($json$
{
    "id": "github_stats",
    "source": {
        "type": "api",
        "url": "https://api.github.com/repos/postgres/postgres/stats/contributors",
        "auth": {"type": "bearer", "token": "{{ tokens.github }}"},
        "retry": {"delay": "2s"},
        "onStatus": {"202": "retry"}
    },
    "transform": {"id": "{{ item.author.id }}", "login": "{{ item.author.login }}", "commits": "{{ item.total }}"},
    "destination": {
        "type": "database",
        "table": "github_contributors",
        "schema": {"id": "bigint", "login": "text", "commits": "integer"},
        "key": "id"
    }
}
$json$);
