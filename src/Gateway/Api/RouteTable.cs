namespace PmrGateway.Gateway.Api;

/// <summary>Finds the row of the table of routes for a method and a path.</summary>
internal sealed class RouteTable
{
    private readonly FhirRoute[][] _byLength;

    public RouteTable(IReadOnlyList<FhirRoute> rows)
    {
        Rows = rows;
        _byLength = [.. Enumerable.Range(0, rows.Max(r => r.Length) + 1).Select(n => rows.Where(r => r.Length == n).ToArray())];
    }

    /// <summary>All rows, in the order in which they are asked.</summary>
    public IReadOnlyList<FhirRoute> Rows { get; }

    /// <summary>The route of a request; null: none.</summary>
    /// <param name="method">HTTP method, not HEAD.</param>
    /// <param name="path">The segments below the FHIR base.</param>
    public FhirRoute? Find(string method, IReadOnlyList<string> path)
    {
        foreach (var route in OfLength(path.Count))
            if (route.Method == method && route.Matches(path)) return route;
        return null;
    }

    /// <summary>The methods that a path has, as Allow has them; null: there is no such path.</summary>
    public string? AllowedAt(IReadOnlyList<string> path)
    {
        var methods = OfLength(path.Count).Where(r => r.Matches(path)).Select(r => r.Method).Distinct().ToList();
        if (methods.Count == 0) return null;
        if (methods.Contains("GET")) methods.Add("HEAD");
        methods.Add("OPTIONS");
        return string.Join(", ", methods);
    }

    private FhirRoute[] OfLength(int segments) => segments < _byLength.Length ? _byLength[segments] : [];
}
