namespace PmrGateway.Tests.StoreContract;

/// <summary>An index of numbers that no search comes to the end of: what stops there was stopped, whatever the machine.</summary>
public static class EndlessIndex
{
    /// <summary>The statements that put it in the place of the index.</summary>
    /// <param name="provider">sqlite or postgres.</param>
    public static string[] Sql(string provider) =>
    [
        "ALTER TABLE index_number RENAME TO index_number_elsewhere",
        provider == "postgres"
            ? """
            CREATE VIEW index_number AS SELECT (random() * 0)::bigint AS param, '' AS unit, random() AS lo, random() AS hi,
              (random() * 0)::bigint AS rid, 0::bigint AS part FROM pg_sleep(600)
            """
            : """
            CREATE VIEW index_number AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
              SELECT n - n AS param, substr('', n) AS unit, n * 1.0 AS lo, n * 1.0 AS hi, n AS rid, n - n AS part FROM c WHERE n < 0
            """,
    ];

    /// <summary>The statements that put the index back.</summary>
    public static string[] Undo { get; } =
        ["DROP VIEW index_number", "ALTER TABLE index_number_elsewhere RENAME TO index_number"];
}
