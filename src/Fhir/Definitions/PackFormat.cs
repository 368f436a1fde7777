using System.Collections.Frozen;
using System.IO.Compression;
using System.Text;

namespace PmrGateway.Fhir;

/// <summary>
/// The compact file that the official definitions are compiled to: a string table, then types, value sets, search parameters and the
/// Patient compartment as numbers into it, the whole under Brotli. One reader, one writer, one version line.
/// </summary>
public static class PackFormat
{
    private const string VersionLine = "pmr-definitions/1";
    private const string ResourceName = "PmrGateway.Fhir.r4.pack";

    /// <summary>Writes a schema. The same schema gives the same bytes.</summary>
    internal static byte[] Write(FhirSchema schema)
    {
        var table = new Dictionary<string, int>(StringComparer.Ordinal) { [""] = 0 };
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body, Encoding.UTF8, leaveOpen: true))
        {
            void Text(string? text)
            {
                // Index 0 is null; an empty string does not occur in the definitions.
                if (text is null) text = "";
                if (!table.TryGetValue(text, out var index)) table[text] = index = table.Count;
                writer.Write7BitEncodedInt(index);
            }
            void List<T>(IReadOnlyCollection<T> items, Action<T> each)
            {
                writer.Write7BitEncodedInt(items.Count);
                foreach (var item in items) each(item);
            }
            List([.. schema.Types.OrderBy(t => t.Name, StringComparer.Ordinal)], type =>
            {
                Text(type.Name);
                writer.Write((byte)type.Kind);
                writer.Write(type.IsAbstract);
                List(type.Elements, e =>
                {
                    Text(e.Name);
                    writer.Write7BitEncodedInt(e.Min);
                    writer.Write7BitEncodedInt(e.Max);
                    writer.Write((byte)((e.IsArray ? 1 : 0) | (e.IsChoice ? 2 : 0)));
                    Text(e.RequiredValueSet);
                    List(e.Types, t =>
                    {
                        Text(t.Name);
                        List(t.Targets, Text);
                    });
                });
            });
            List([.. schema.ValueSets.OrderBy(v => v.Key, StringComparer.Ordinal)], v =>
            {
                Text(v.Key);
                List([.. v.Value.Order(StringComparer.Ordinal)], Text);
            });
            List(schema.SearchParameters, p =>
            {
                Text(p.Code);
                Text(p.Type);
                List(p.Bases, Text);
                Text(p.Expression);
            });
            List([.. schema.PatientCompartment.OrderBy(c => c.Key, StringComparer.Ordinal)], c =>
            {
                Text(c.Key);
                List(c.Value, Text);
            });
        }
        using var file = new MemoryStream();
        using (var brotli = new BrotliStream(file, CompressionLevel.SmallestSize, leaveOpen: true))
        using (var writer = new BinaryWriter(brotli, Encoding.UTF8))
        {
            writer.Write(VersionLine);
            writer.Write7BitEncodedInt(table.Count);
            foreach (var (text, _) in table.OrderBy(t => t.Value)) writer.Write(text);
            writer.Write(body.ToArray());
        }
        return file.ToArray();
    }

    /// <summary>Reads a schema.</summary>
    /// <exception cref="InvalidDataException">The stream is no pack of this version.</exception>
    internal static FhirSchema Read(Stream stream)
    {
        using var brotli = new BrotliStream(stream, CompressionMode.Decompress);
        using var reader = new BinaryReader(new BufferedStream(brotli, 1 << 16), Encoding.UTF8);
        if (reader.ReadString() is var version && version != VersionLine) throw new InvalidDataException($"definitions pack of version '{version}', not '{VersionLine}'");
        var table = new string[reader.Read7BitEncodedInt()];
        for (var i = 0; i < table.Length; i++) table[i] = reader.ReadString();

        string Text() => table[reader.Read7BitEncodedInt()];
        string? TextOrNull() => Text() is { Length: > 0 } text ? text : null;
        T[] List<T>(Func<T> each)
        {
            var items = new T[reader.Read7BitEncodedInt()];
            for (var i = 0; i < items.Length; i++) items[i] = each();
            return items;
        }
        TypeReference Reference() => new(Text(), List(Text));
        ElementSpec Element()
        {
            var (name, min, max, flags, valueSet) = (Text(), reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), reader.ReadByte(), TextOrNull());
            return new ElementSpec(name, min, max, (flags & 1) != 0, (flags & 2) != 0, List(Reference), valueSet, null, false);
        }
        TypeDefinition Type() => new(Text(), (TypeKind)reader.ReadByte(), reader.ReadBoolean(), List(Element));

        var types = List(Type);
        var valueSets = List(() => KeyValuePair.Create(Text(), List(Text).ToFrozenSet(StringComparer.Ordinal)));
        var parameters = List(() => new SearchParameterSpec(Text(), Text(), List(Text), Text()));
        var compartment = List(() => KeyValuePair.Create(Text(), (IReadOnlyList<string>)List(Text)));
        return new FhirSchema(types, new Dictionary<string, FrozenSet<string>>(valueSets), parameters, new Dictionary<string, IReadOnlyList<string>>(compartment));
    }

    internal static FhirSchema ReadEmbedded()
    {
        using var stream = typeof(PackFormat).Assembly.GetManifestResourceStream(ResourceName)
            ?? throw new InvalidDataException("the definitions pack is missing from the assembly");
        return Read(stream);
    }
}
