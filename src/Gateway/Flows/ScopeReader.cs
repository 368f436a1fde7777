using PmrGateway.Fhir;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Reads resource scopes, those with search parameters as well: <c>patient/Observation.rs?category=system|code,other&amp;code=x</c>. Only
/// what can be held at every read is one: token and reference parameters that are indexed, as they stand. Any other is refused by its
/// name, and never taken for one that says less.
/// https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
/// </summary>
/// <param name="indexer">Which parameters are indexed.</param>
/// <param name="baseUrl">What a reference by an absolute URL to a record of this gateway begins with.</param>
public sealed class ScopeReader(SearchIndexer indexer, BaseUrl baseUrl)
{
    // Each is asked of every record that the token might reach.
    private const int MaxTerms = 10;
    private const int MaxValues = 50;
    private const int MaxOfAll = 200;

    // An AuditEvent is an entry of the log and a Bundle becomes what is in it: neither is indexed. A Binary is what links to it.
    private static readonly string[] NotRestricted = ["AuditEvent", "Bundle", "Binary"];

    /// <summary>
    /// The scopes of a token. What is no resource scope, or none that could be held, grants nothing; where all have more values than can
    /// be asked, none that has any.
    /// </summary>
    public SmartScopes Read(IEnumerable<string> scopes)
    {
        var read = scopes.Select(s => Read(s, out _)).OfType<SmartScope>().ToList();
        return new SmartScopes(ValuesOf(read) <= MaxOfAll ? read : read.FindAll(s => s.Filter is null));
    }

    /// <summary>
    /// Why scopes cannot be granted together, to anybody; null: they can, as far as they look like resource scopes.
    /// </summary>
    public string? Problem(IEnumerable<string> scopes)
    {
        var read = new List<SmartScope>();
        foreach (var scope in scopes)
        {
            if (Read(scope, out var problem) is { } one) read.Add(one);
            else if (problem is not null) return problem;
        }
        return ValuesOf(read) is var values && values > MaxOfAll
            ? $"the scopes have {values} values of search parameters, and may have {MaxOfAll} together"
            : null;
    }

    /// <summary>A resource scope; null: the text is none.</summary>
    /// <param name="scope">One scope.</param>
    /// <param name="problem">What in it cannot be held, where it has search parameters; null: nothing.</param>
    public SmartScope? Read(string scope, out string? problem)
    {
        problem = null;
        if (scope.Split('?', 2) is not [var text, var query])
        {
            if (SmartScope.Read(scope) is { } plain) return plain;
            if (IsOfRecords(scope) && scope.Contains('%')) problem = $"{scope}: what stands before the values is not encoded";
            return null;
        }
        if (SmartScope.Read(text) is not { } all)
        {
            if (IsOfRecords(text)) problem = $"{scope}: what stands before the ? is no scope";
            return null;
        }
        problem = ProblemOf(text, all);
        if (problem is null && Filter(all.Type, query, out problem) is { } filter) return all with { Filter = filter, Text = scope };
        problem = $"{scope}: {problem}";
        return null;
    }

    private static int ValuesOf(IEnumerable<SmartScope> scopes) => scopes.Sum(s => s.Filter?.Values ?? 0);

    private static bool IsOfRecords(string text) => text.Split('/')[0] is "patient" or "user" or "system" && text.Contains('/');

    private string? ProblemOf(string text, SmartScope scope)
    {
        if (text.Split('.')[^1] is "read" or "write" or "*") return "with search parameters it says what it lets do by letters of cruds";
        if (scope.Type == "*" || NotRestricted.Contains(scope.Type)) return $"{scope.Type} is not restricted by search parameters";
        return indexer.ParametersOf(scope.Type).Count > 0 ? null : $"no search parameter of {scope.Type} is indexed";
    }

    private ScopeFilter? Filter(string type, string query, out string? problem)
    {
        problem = null;
        var (terms, values) = (new List<ScopeTerm>(), 0);
        foreach (var part in query.Split('&'))
        {
            if (part.Split('=', 2) is not [var name, { Length: > 0 } value] || Unescaped(name) is not { } code
                || Unescaped(value) is not { } text)
            {
                problem = $"'{part}' is no parameter with a value";
                return null;
            }
            if (Term(type, code, text, out problem) is not { } term) return null;
            terms.Add(term);
            values += term.Values.Count;
        }
        if (terms.Count <= MaxTerms && values <= MaxValues) return new ScopeFilter(terms);
        problem = $"a scope has up to {MaxTerms} parameters and {MaxValues} values";
        return null;
    }

    private ScopeTerm? Term(string type, string code, string text, out string? problem)
    {
        problem = null;
        // What other parameters have together has no values of its own.
        var parameter = indexer.Find(type, code) is { Type: "token" or "reference", AnyOf.Count: 0 } known ? known : null;
        var kind = parameter?.Type;
        var values = ParameterValue.Split(text, ',')
            .Select(v => kind switch { "token" => Token(v), "reference" => Reference(code, v), _ => null }).ToList();
        if (kind is null) problem = $"'{code}' is no token or reference parameter of {type} that is indexed, without a modifier or chain";
        else if (values.Contains(null)) problem = $"'{text}' is no value of {code}";
        return problem is null
            ? new ScopeTerm(code, kind!, [.. values.OfType<ScopeValue>()]) { IsPersonal = parameter!.IsPersonal }
            : null;
    }

    // As a search reads it; a value that names nothing is none.
    private static ScopeValue? Token(string text) => ParameterValue.Token(text) switch
    {
        (null, "") or ("", "") => null,
        (var system, "") => new ScopeValue(system, null),
        var (system, code) => new ScopeValue(system, code),
    };

    // As a search reads it: patient=id is a Patient.
    private ScopeValue? Reference(string code, string value)
    {
        var text = FhirReference.Local(ParameterValue.Plain(value), baseUrl.Fhir);
        return text.Length == 0 ? null
            : FhirReference.TryParse(text, out var local) ? new ScopeValue(local.Type, local.Id)
            : text.Contains('/') || text.Contains(':') ? new ScopeValue(null, text)
            : new ScopeValue(code == "patient" ? "Patient" : null, text);
    }

    // A scope may be encoded as the query of a URL is, where a plus may be a plus (RFC 3986); what is half encoded is refused.
    private static string? Unescaped(string text)
    {
        for (var i = text.IndexOf('%'); i >= 0; i = text.IndexOf('%', i + 1))
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2])) return null;
        var unescaped = Uri.UnescapeDataString(text);
        return unescaped.Any(char.IsControl) ? null : unescaped;
    }
}
