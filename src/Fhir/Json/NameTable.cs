using System.Text;

namespace PmrGateway.Fhir;

/// <summary>The element and resource names of R4, numbered, and found by their UTF-8 bytes without making a string. Immutable.</summary>
internal sealed class NameTable
{
    /// <summary>The number of a name that is not in the table.</summary>
    public const int Unknown = ushort.MaxValue;

    private readonly string[] _names;
    private readonly int[] _slots;
    private readonly ulong[] _hashes;

    public NameTable(IEnumerable<TypeDefinition> types)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "resourceType" };
        foreach (var type in types)
        {
            if (type.Kind == TypeKind.Resource) names.Add(type.Name);
            foreach (var element in type.Elements)
            {
                names.Add(element.Name);
                foreach (var t in element.Types)
                {
                    var property = TypeDefinition.PropertyName(element, t);
                    names.Add(property);
                    if (char.IsAsciiLetterLower(t.Name[0])) names.Add("_" + property);
                }
            }
        }
        _names = [.. names];
        _slots = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)_names.Length * 3)];
        _hashes = new ulong[_names.Length];
        Array.Fill(_slots, -1);
        Span<byte> utf8 = stackalloc byte[256];
        for (var i = 0; i < _names.Length; i++)
        {
            var length = Encoding.UTF8.GetBytes(_names[i], utf8);
            _hashes[i] = Hash(utf8[..length]);
            var at = (int)_hashes[i] & (_slots.Length - 1);
            while (_slots[at] >= 0) at = (at + 1) & (_slots.Length - 1);
            _slots[at] = i;
        }
        ResourceType = IdOf("resourceType");
    }

    public int Count => _names.Length;

    /// <summary>Number of <c>resourceType</c>.</summary>
    public int ResourceType { get; }

    public string this[int id] => _names[id];

    /// <summary>The number of a name.</summary>
    /// <exception cref="KeyNotFoundException">It is not in the table.</exception>
    public int IdOf(string name) => TryGetId(name, out var id) ? id : throw new KeyNotFoundException(name);

    public bool TryGetId(string name, out int id)
    {
        Span<byte> utf8 = stackalloc byte[128];
        // The longest name of R4 has 50 letters.
        if (name.Length <= 128 && Encoding.UTF8.TryGetBytes(name, utf8, out var length)) return TryGetId(utf8[..length], out id);
        id = Unknown;
        return false;
    }

    public bool TryGetId(ReadOnlySpan<byte> utf8, out int id)
    {
        var hash = Hash(utf8);
        for (var at = (int)hash & (_slots.Length - 1); _slots[at] >= 0; at = (at + 1) & (_slots.Length - 1))
        {
            id = _slots[at];
            if (_hashes[id] == hash && _names[id].Length == utf8.Length && Ascii.Equals(utf8, _names[id])) return true;
        }
        id = Unknown;
        return false;
    }

    // FNV-1a, 64 bits, folded. Hot from the first byte on.
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in bytes) hash = (hash ^ b) * 1099511628211UL;
        return hash ^ (hash >> 32);
    }
}
