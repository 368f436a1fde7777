using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace PmrGateway.Fhir;

/// <summary>
/// The compact file that the official definitions are compiled to: a version line and four sections under Brotli, types with search
/// parameters and compartment, terminology, core profiles, and displays, each a string table and numbers into it. The later ones are read
/// when first asked for.
/// </summary>
internal static class PackFormat
{
    private const string VersionLine = "pmr-definitions/6\n";
    private const string ResourceName = "PmrGateway.Fhir.r4.pack";

    /// <summary>Writes a schema. The same schema gives the same bytes.</summary>
    public static byte[] Write(FhirSchema schema)
    {
        using var file = new MemoryStream();
        file.Write(Encoding.ASCII.GetBytes(VersionLine));
        WriteSection(file, w => WriteTypes(w, schema));
        WriteSection(file, w => WriteTerminology(w, schema.Terminology));
        WriteSection(file, w => w.List([.. schema.CoreProfiles.OrderBy(p => p.Key, StringComparer.Ordinal)], p =>
        {
            w.Text(p.Key);
            w.Text(p.Value);
        }));
        WriteSection(file, w => WriteDisplays(w, schema.Terminology));
        return file.ToArray();
    }

    /// <summary>Reads a schema.</summary>
    /// <exception cref="InvalidDataException">The bytes are no pack of this version.</exception>
    public static FhirSchema Read(byte[] pack)
    {
        if (!pack.AsSpan().StartsWith(Encoding.ASCII.GetBytes(VersionLine)))
            throw new InvalidDataException($"not a definitions pack of version '{VersionLine.Trim()}'");
        var (types, next) = OpenSection(pack, VersionLine.Length);
        var definitions = types.List(r => ReadType(r));
        var parameters = types
            .List(r => new SearchParameterSpec(
                r.Text(), r.Text(), r.List(x => x.Text()), r.Text(), r.List(x => x.Text()),
                r.List(x => new SearchComponentSpec(x.Text(), x.Text(), x.Text()))));
        var compartment = types.List(r => KeyValuePair.Create(r.Text(), (IReadOnlyList<string>)r.List(x => x.Text())));
        var profiles = AfterSection(pack, next);
        return new FhirSchema(
            definitions,
            parameters,
            new Dictionary<string, IReadOnlyList<string>>(compartment),
            () => ReadTerminology(OpenSection(pack, next).Reader, () => ReadDisplays(pack, AfterSection(pack, profiles))),
            () => ReadProfiles(pack, profiles));
    }

    public static FhirSchema ReadEmbedded()
    {
        using var stream = typeof(PackFormat).Assembly.GetManifestResourceStream(ResourceName)
            ?? throw new InvalidDataException("the definitions pack is missing from the assembly");
        var pack = new byte[stream.Length];
        stream.ReadExactly(pack);
        return Read(pack);
    }

    private static void WriteTypes(SectionWriter w, FhirSchema schema)
    {
        w.List([.. schema.Types.OrderBy(t => t.Name, StringComparer.Ordinal)], type =>
        {
            w.Text(type.Name);
            w.Number((int)type.Kind * 2 + (type.IsAbstract ? 1 : 0));
            w.Text(type.BaseName ?? "");
            w.List(type.Elements, e =>
            {
                w.Text(e.Name);
                w.Number(e.Min);
                w.Number(e.Max);
                w.Number((e.IsChoice ? 1 : 0) + (e.IsSummary ? 2 : 0) + (e.IsModifier ? 4 : 0)
                    + 8 * (int)(e.Binding?.Strength ?? BindingStrength.None));
                if (e.Binding is not null) w.Text(e.Binding.ValueSet);
                w.List(e.Types, t =>
                {
                    w.Text(t.Name);
                    w.List(t.Targets, w.Text);
                });
                WriteInvariants(w, e.Invariants);
            });
            WriteInvariants(w, type.Invariants);
        });
        w.List(schema.SearchParameters, p =>
        {
            w.Text(p.Code);
            w.Text(p.Type);
            w.List(p.Bases, w.Text);
            w.Text(p.Expression);
            w.List(p.Targets, w.Text);
            w.List(p.Components, c =>
            {
                w.Text(c.Code);
                w.Text(c.Type);
                w.Text(c.Expression);
            });
        });
        w.List([.. schema.PatientCompartment.OrderBy(c => c.Key, StringComparer.Ordinal)], c =>
        {
            w.Text(c.Key);
            w.List(c.Value, w.Text);
        });
    }

    private static void WriteInvariants(SectionWriter w, IReadOnlyList<Invariant> invariants) => w.List(invariants, i =>
    {
        w.Text(i.Key);
        w.Number(i.IsWarning ? 1 : 0);
        w.Text(i.Expression);
    });

    private static TypeDefinition ReadType(SectionReader r)
    {
        var name = r.Text();
        var kind = r.Number();
        var baseName = r.Text();
        var above = baseName.Length == 0 ? null : baseName;
        return new TypeDefinition(name, (TypeKind)(kind / 2), kind % 2 == 1, above, r.List(ReadElement), r.List(ReadInvariant));
    }

    private static ElementSpec ReadElement(SectionReader r)
    {
        var (name, min, max, flags) = (r.Text(), r.Number(), r.Number(), r.Number());
        var binding = flags / 8 == 0 ? null : new Binding((BindingStrength)(flags / 8), r.Text());
        var types = r.List(x => new TypeReference(x.Text(), x.List(y => y.Text())));
        return new ElementSpec(name, min, max, flags % 2 == 1, types, binding, r.List(ReadInvariant))
        {
            IsSummary = flags % 4 >= 2,
            IsModifier = flags % 8 >= 4,
        };
    }

    // An invariant stands on many elements: one object for all of them is compiled once.
    private static Invariant ReadInvariant(SectionReader r)
    {
        var (key, warning, expression) = (r.Text(), r.Number(), r.Text());
        if (r.Invariants.TryGetValue((key, expression), out var known)) return known;
        return r.Invariants[(key, expression)] = new Invariant(key, warning == 1, expression);
    }

    private static void WriteTerminology(SectionWriter w, Terminology terminology)
    {
        w.List([.. terminology.Systems.OrderBy(s => s.Key, StringComparer.Ordinal)], s =>
        {
            w.Text(s.Key);
            w.List([.. s.Value.Order(StringComparer.Ordinal)], w.Text);
        });
        w.List([.. terminology.ValueSets.OrderBy(v => v.Url, StringComparer.Ordinal)], v =>
        {
            w.Text(v.Url);
            w.Number(v.IsOpen ? 1 : 0);
            w.List(v.Parts, p =>
            {
                w.Text(p.System);
                w.Number(p.Codes is null ? 0 : 1);
                if (p.Codes is not null) w.List([.. p.Codes.Order(StringComparer.Ordinal)], w.Text);
            });
        });
    }

    private static Terminology ReadTerminology(SectionReader reader, Func<Dictionary<string, Displays>> displays)
    {
        var systems = reader.List(r =>
        {
            var (url, codes) = (r.Text(), r.List(x => x.Text()));
            return (url, new Func<IReadOnlySet<string>?>(() => codes.ToHashSet(StringComparer.Ordinal)));
        });
        var sets = reader.List(r =>
        {
            var (url, open) = (r.Text(), r.Number() == 1);
            var parts = r.List(x => (System: x.Text(), Codes: x.Number() == 0 ? null : x.List(y => y.Text())));
            return (url, new Func<ValueSetDefinition>(() =>
                new ValueSetDefinition(
                    url, [.. parts.Select(p => new ValueSetPart(p.System, p.Codes?.ToHashSet(StringComparer.Ordinal)))], open)));
        });
        return new Terminology(systems, sets, displays);
    }

    private static void WriteDisplays(SectionWriter w, Terminology terminology) =>
        w.List([.. terminology.AllDisplays.OrderBy(s => s.Key, StringComparer.Ordinal)], s =>
        {
            w.Text(s.Key);
            w.List([.. s.Value.Names.OrderBy(n => n.Key, StringComparer.Ordinal)], n =>
            {
                w.Text(n.Key);
                w.List(n.Value, w.Text);
            });
        });

    private static Dictionary<string, Displays> ReadDisplays(byte[] pack, int at)
    {
        var systems =
            OpenSection(pack, at).Reader.List(r => (System: r.Text(), Names: r.List(x => (Code: x.Text(), Names: x.List(y => y.Text())))));
        return systems.ToDictionary(
            s => s.System,
            s => new Displays(s.Names.ToDictionary(n => n.Code, n => n.Names, StringComparer.Ordinal)),
            StringComparer.Ordinal);
    }

    private static Dictionary<string, string> ReadProfiles(byte[] pack, int at) =>
        OpenSection(pack, at).Reader.List(r => (Url: r.Text(), Json: r.Text())).ToDictionary(
            p => p.Url, p => p.Json, StringComparer.Ordinal);

    private static int AfterSection(byte[] pack, int at) => at + 4 + BinaryPrimitives.ReadInt32BigEndian(pack.AsSpan(at));

    private static void WriteSection(Stream file, Action<SectionWriter> write)
    {
        var writer = new SectionWriter();
        write(writer);
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) brotli.Write(writer.ToArray());
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, (int)packed.Length);
        file.Write(length);
        file.Write(packed.GetBuffer().AsSpan(0, (int)packed.Length));
    }

    private static (SectionReader Reader, int Next) OpenSection(byte[] pack, int at)
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(pack.AsSpan(at));
        using var brotli = new BrotliStream(new MemoryStream(pack, at + 4, length), CompressionMode.Decompress);
        using var bytes = new MemoryStream(length * 8);
        brotli.CopyTo(bytes);
        return (new SectionReader(bytes.ToArray()), at + 4 + length);
    }

    private sealed class SectionWriter
    {
        private readonly Dictionary<string, int> _table = new(StringComparer.Ordinal);
        private readonly MemoryStream _body = new();

        public void Number(int number)
        {
            // Zigzag, so that -1 (no limit) is short.
            var value = (uint)((number << 1) ^ (number >> 31));
            for (; value >= 0x80; value >>= 7) _body.WriteByte((byte)(value | 0x80));
            _body.WriteByte((byte)value);
        }

        public void Text(string text)
        {
            if (!_table.TryGetValue(text, out var index)) _table[text] = index = _table.Count;
            Number(index);
        }

        public void List<T>(IReadOnlyCollection<T> items, Action<T> each)
        {
            Number(items.Count);
            foreach (var item in items) each(item);
        }

        public byte[] ToArray()
        {
            var head = new SectionWriter();
            head.Number(_table.Count);
            foreach (var (text, _) in _table.OrderBy(t => t.Value))
            {
                var utf8 = Encoding.UTF8.GetBytes(text);
                head.Number(utf8.Length);
                head._body.Write(utf8);
            }
            return [.. head._body.ToArray(), .. _body.ToArray()];
        }
    }

    private sealed class SectionReader
    {
        private readonly byte[] _bytes;
        private readonly string[] _table;
        private int _at;

        // Run once over much data: straight to optimised code, or the first tier is most of a cold start.
        public SectionReader(byte[] bytes)
        {
            _bytes = bytes;
            _table = new string[Number()];
            for (var i = 0; i < _table.Length; i++)
            {
                var length = Number();
                _table[i] = Encoding.UTF8.GetString(_bytes, _at, length);
                _at += length;
            }
        }

        public Dictionary<(string, string), Invariant> Invariants { get; } = [];

        public int Number()
        {
            uint value = 0;
            for (var shift = 0; ; shift += 7)
            {
                var next = _bytes[_at++];
                value |= (uint)(next & 0x7F) << shift;
                if (next < 0x80) return (int)(value >> 1) ^ -(int)(value & 1);
            }
        }

        public string Text() => _table[Number()];

        public T[] List<T>(Func<SectionReader, T> each)
        {
            var items = new T[Number()];
            for (var i = 0; i < items.Length; i++) items[i] = each(this);
            return items;
        }
    }
}
