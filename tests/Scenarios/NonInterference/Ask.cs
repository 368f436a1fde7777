using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>One request, with names for ids; of a Bundle, an entry.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path below the FHIR base.</param>
/// <param name="Query">Its parameters, each <c>name=value</c>.</param>
internal sealed record Ask(string Method, string Path, params string[] Query)
{
    private const string FhirJson = "application/fhir+json";

    /// <summary>JSON in which names stay as they are written.</summary>
    public static readonly JsonSerializerOptions AsWritten = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonSerializerOptions WithoutNulls =
        new(AsWritten) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public (string Name, string Value)[] Headers { get; init; } = [];

    /// <summary>Parameters that are sent as a form.</summary>
    public string[]? Form { get; init; }

    public string? Body { get; init; }

    public Ask[]? Entries { get; init; }

    public string BundleType { get; init; } = "batch";

    /// <summary>Whose page it goes on from, though it is another's or of another search; null: nobody's.</summary>
    public string? StolenFrom { get; init; }

    /// <summary>What a write of it makes, if it makes anything; null: it is a question.</summary>
    public Step? Makes { get; init; }

    /// <summary>
    /// Whether the order of what is found is that of ids: they are random, and others in each gateway. Pages are compared as one then.
    /// </summary>
    public bool IsInOrderOfIds => Query.Concat(Form ?? []).Any(
        q => q.StartsWith("_sort=", StringComparison.Ordinal)
            && q[6..].Split(',').Any(k => k.TrimStart('-') is "_id" or "patient" or "subject"));

    /// <summary>
    /// Whether it is a history that may have Binaries which the second gateway cannot have: these are taken out, and its pages are compared
    /// as one.
    /// </summary>
    public bool IsHistoryOfBinaries => Path is "_history" or "Binary/_history";

    private string Url => Path + (Query.Length > 0 ? "?" + string.Join('&', Query) : "");

    /// <summary>The smaller questions that a failing one is tried as.</summary>
    public IEnumerable<Ask> Smaller()
    {
        for (var i = 0; i < Query.Length; i++) yield return this with { Query = Without(Query, i) };
        for (var i = 0; i < Headers.Length; i++) yield return this with { Headers = Without(Headers, i) };
        for (var i = 0; i < Form?.Length; i++) yield return this with { Form = Without(Form, i) };
        for (var i = 0; i < Entries?.Length; i++)
        {
            yield return Entries[i];
            if (Entries.Length > 1) yield return this with { Entries = Without(Entries, i) };
            foreach (var entry in Entries[i].Smaller())
                yield return this with { Entries = [.. Entries[..i], entry, .. Entries[(i + 1)..]] };
        }
    }

    /// <summary>The answer in the names of the test, all pages of it.</summary>
    /// <param name="side">Who is asked.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="leftOut">The Binaries, by name, that the second gateway cannot have.</param>
    public async Task<string> AnswerAsync(Side side, string viewer, IReadOnlySet<string> leftOut)
    {
        var (body, type) = Entries is not null ? (Bundle(), FhirJson)
            : Form is not null ? (string.Join('&', Form), "application/x-www-form-urlencoded")
            : (Body, FhirJson);
        var url = StolenFrom is { } whose ? $"{Url}&{await CursorAsync(side, whose)}" : Url;
        var answer = await side.AskAsync(viewer, Method, url, Headers, body, type);
        if (Makes is not null && answer.Status == 201) side.Made(Makes.Name, answer);
        var pages = new List<Answer> { answer };
        while (Next(pages[^1]) is { } next && pages.Count < 50) pages.Add(await side.AskAsync(viewer, "GET", next, [], null, null));
        if (IsHistoryOfBinaries && answer.Status == 200 && leftOut.Count > 0) return Without(side, pages, leftOut);
        return IsInOrderOfIds && answer.Status == 200
            ? string.Join('\n', pages.SelectMany(p => Parts(p).Select(e => side.InNames(e))).Order(StringComparer.Ordinal))
            : string.Join("\n\n", pages.Select(p => side.InNames(p, Path)));
    }

    // Of records where there are pages of them, else of organizations: these everybody sees.
    private async Task<string> CursorAsync(Side side, string whose)
    {
        foreach (var type in new[] { Path, "Organization" })
            if (Next(await side.AskAsync(whose, "GET", type + "?_count=1", [], null, null)) is { } next)
                return next.Split('?', '&').Single(p => p.StartsWith("_cursor=", StringComparison.Ordinal));
        throw new InvalidOperationException($"{whose} has no second page of organizations");
    }

    public override string ToString() => $"{Method} {Url}" + (StolenFrom is null ? "" : $" by a cursor of {StolenFrom}")
        + string.Concat(Headers.Select(h => $"\n  {h.Name}: {h.Value}"))
        + (Form is null ? "" : "\n  form " + string.Join('&', Form))
        + (Entries is null ? "" : $"\n  {BundleType} of {string.Join(", ", Entries.AsEnumerable())}")
        + (Body is null ? "" : "\n  " + Body);

    private string Bundle() => JsonSerializer.Serialize(
        new
        {
            resourceType = "Bundle",
            type = BundleType,
            entry = Entries!.Select(e => new
            {
                resource = e.Body is null ? null : JsonNode.Parse(e.Body),
                request = new { method = e.Method, url = e.Url, ifMatch = e.Headers.FirstOrDefault(h => h.Name == "If-Match").Value },
            }),
        },
        WithoutNulls);

    private static IEnumerable<string> Parts(Answer page) => RunningGateway.Entries(page).Select(e => e.GetRawText())
        .Append($"total {page.Json.GetProperty("total")}");

    private string Without(Side side, List<Answer> pages, IReadOnlySet<string> leftOut)
    {
        var all = pages.SelectMany(RunningGateway.Entries).ToList();
        var kept = all.Where(e => side.NameOf(e.GetProperty("fullUrl").GetString()!) is not { } name || !leftOut.Contains(name)).ToList();
        var totals = pages.Select(p => p.Json.GetProperty("total").GetInt32()).Distinct();
        // Which of them a mere number counts is not known.
        return (Query.Contains("_count=0") ? "" : string.Join(' ', totals.Select(t => t - all.Count + kept.Count))) + '\n'
            + string.Join('\n', kept.Select(e => side.InNames(e.GetRawText())));
    }

    private static string? Next(Answer page)
    {
        var type = page.Headers.Content.Headers.ContentType?.MediaType;
        if (page.Status != 200 || page.Body.Length == 0 || type != FhirJson) return null;
        return page.Json.TryGetProperty("link", out var links) && links.ValueKind == JsonValueKind.Array
            ? links.EnumerateArray().Where(l => l.TryGetProperty("relation", out var r) && r.ValueEquals("next"))
                .Select(l => l.GetProperty("url").GetString()).FirstOrDefault()
            : null;
    }

    private static T[] Without<T>(T[] all, int at) => [.. all[..at], .. all[(at + 1)..]];
}
