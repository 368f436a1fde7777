namespace PmrGateway.Fhir;

/// <summary>The codes of a value set from one system.</summary>
/// <param name="System">The code system.</param>
/// <param name="Codes">The codes; null: all of the system's.</param>
public sealed record ValueSetPart(string System, IReadOnlySet<string>? Codes);

/// <summary>A value set as parts. Sets that are defined by filters over systems which are not here hold those systems whole.</summary>
/// <param name="Url">Canonical URL.</param>
/// <param name="Parts">Its parts.</param>
/// <param name="IsOpen">Whether a part of it cannot be told at all.</param>
public sealed record ValueSetDefinition(string Url, IReadOnlyList<ValueSetPart> Parts, bool IsOpen);

/// <summary>
/// Code systems and value sets. Answers are three-valued: null where the gateway does not have what it takes to tell
/// (SNOMED CT, LOINC, a value set of another guide), and then nothing is claimed.
/// </summary>
public sealed class Terminology
{
    private readonly Dictionary<string, Lazy<IReadOnlySet<string>?>> _systems;
    private readonly Dictionary<string, Lazy<ValueSetDefinition>> _valueSets;
    private readonly Lazy<Dictionary<string, Displays>> _displays;
    private readonly Terminology? _base;

    /// <summary>A terminology over another. Sets are made when they are first asked for: most never are.</summary>
    internal Terminology(
        IEnumerable<(string Url, Func<IReadOnlySet<string>?> Codes)> systems,
        IEnumerable<(string Url, Func<ValueSetDefinition> Definition)> valueSets,
        Func<Dictionary<string, Displays>> displays,
        Terminology? below = null)
    {
        _systems = systems.ToDictionary(s => s.Url, s => new Lazy<IReadOnlySet<string>?>(s.Codes), StringComparer.Ordinal);
        _valueSets = valueSets.ToDictionary(v => v.Url, v => new Lazy<ValueSetDefinition>(v.Definition), StringComparer.Ordinal);
        _displays = new(displays);
        _base = below;
    }

    internal IEnumerable<KeyValuePair<string, IReadOnlySet<string>>> Systems =>
        _systems.Select(s => KeyValuePair.Create(s.Key, s.Value.Value!));

    internal IReadOnlyDictionary<string, Displays> AllDisplays => _displays.Value;

    internal IEnumerable<ValueSetDefinition> ValueSets => _valueSets.Values.Select(v => v.Value);

    /// <summary>All codes of a system; null for a system that is not here in full.</summary>
    public IReadOnlySet<string>? System(ReadOnlySpan<char> url)
    {
        if (_systems.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(url, out var own)) return own.Value;
        return _base is { } below ? below.System(url) : null;
    }

    /// <summary>
    /// What a system calls a code that is given another name; null: the name is right, or the system names none, or is not here in full.
    /// </summary>
    internal string? WrongDisplay(ReadOnlySpan<char> system, ReadOnlySpan<char> code, ReadOnlySpan<char> display)
    {
        var own = _displays.Value.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(system, out var found) ? found.Of(code) : [];
        if (Displays.Has(own, display)) return null;
        if (_systems.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(system)) return own.Length > 0 ? own[0] : null;
        return _base?.WrongDisplay(system, code, display);
    }

    /// <summary>A value set by canonical URL without version, or null.</summary>
    public ValueSetDefinition? ValueSet(string url) => _valueSets.TryGetValue(url, out var own) ? own.Value : _base?.ValueSet(url);

    /// <summary>Whether a code is among others, without a copy of it.</summary>
    internal static bool Holds(IReadOnlySet<string> codes, ReadOnlySpan<char> code) =>
        codes is HashSet<string> listed ? listed.GetAlternateLookup<ReadOnlySpan<char>>().Contains(code) : codes.Contains(code.ToString());

    /// <summary>Whether a code is in a value set; null: it cannot be told here.</summary>
    /// <param name="valueSet">Canonical URL, without version.</param>
    /// <param name="system">The code's system, or null for a bare code, which any system of the set may hold.</param>
    /// <param name="code">The code.</param>
    public bool? Contains(string valueSet, string? system, ReadOnlySpan<char> code) =>
        ValueSet(valueSet) is { } set ? Contains(set, system, code) : null;

    /// <summary>Whether a code is in a value set that need not be among these; null: it cannot be told here.</summary>
    internal bool? Contains(ValueSetDefinition set, string? system, ReadOnlySpan<char> code)
    {
        var unknown = set.IsOpen;
        foreach (var part in set.Parts)
        {
            if (system is not null && part.System != system) continue;
            var codes = part.Codes ?? System(part.System);
            if (codes is null) unknown |= CodeGrammar.Allows(part.System, code);
            else if (Holds(codes, code)) return true;
        }
        return unknown ? null : false;
    }
}
