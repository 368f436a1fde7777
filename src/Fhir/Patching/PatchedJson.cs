using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>What a patch makes, written down within the limits.</summary>
internal static class PatchedJson
{
    /// <summary>The bytes of a tree.</summary>
    /// <param name="root">The tree.</param>
    /// <param name="limits">How long and deep it may be.</param>
    /// <exception cref="PatchException">It is longer or deeper.</exception>
    public static byte[] Write(JsonNode? root, ResourceLimits limits)
    {
        var bytes = new Bounded(limits.MaxBytes);
        // As JSON has it: only what must be escaped is.
        using var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = limits.JsonDepth,
        });
        try
        {
            if (root is null) writer.WriteNullValue();
            else root.WriteTo(writer);
            writer.Flush();
        }
        catch (InvalidOperationException) when (writer.CurrentDepth >= limits.JsonDepth)
        {
            throw PatchException.TooDeep();
        }
        return bytes.Written;
    }

    private sealed class Bounded(long limit) : IBufferWriter<byte>
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public byte[] Written => _bytes.WrittenSpan.ToArray();

        public void Advance(int count)
        {
            if (_bytes.WrittenCount + count > limit) throw PatchException.TooLong(limit);
            _bytes.Advance(count);
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => _bytes.GetMemory(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => _bytes.GetSpan(sizeHint);
    }
}
