using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;
using PmrGateway.Gateway.Flows;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// The cursors of next links. Where a page begins is a number that counts what others wrote too, so it is sealed: a cursor tells nothing,
/// and is good for who got it, for the list that it is of, and for an hour. Every gateway on the keyring takes it.
/// </summary>
internal sealed class PageCursor(Keyring keyring, TimeProvider time)
{
    private const string Parameter = "_cursor";
    private readonly ShortLivedBox _box = new(keyring, "page-cursor", TimeSpan.FromHours(1), time);

    /// <summary>The address of the next page.</summary>
    /// <param name="caller">Who may follow it.</param>
    /// <param name="list">Path and parameters of the list, without a cursor, below the FHIR base.</param>
    /// <param name="position">Where the page begins.</param>
    public string Next(Caller caller, string list, long position)
    {
        Span<byte> value = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(value, position);
        var text = Base64Url.EncodeToString(_box.Seal(value, ContextOf(caller, list)));
        return $"{list}{(list.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{Parameter}={text}";
    }

    /// <summary>Where the page begins that a request asks for; 0: it has no cursor.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="list">What <see cref="Next"/> was told.</param>
    /// <param name="text">The cursor; null: none.</param>
    public Result<long> Open(Caller caller, string list, string? text)
    {
        if (text is null) return 0;
        Span<byte> value = stackalloc byte[sizeof(long)];
        Span<byte> box = stackalloc byte[ShortLivedBox.SealedSize(value.Length)];
        // Encoded again, since a decoder passes over spaces and the last character's spare bits. One answer to whatever is wrong with it.
        return Base64Url.DecodeFromChars(text, box, out _, out var written) == OperationStatus.Done && written == box.Length
            && Base64Url.EncodeToString(box) == text
            && _box.TryOpen(box, ContextOf(caller, list), value)
            ? BinaryPrimitives.ReadInt64BigEndian(value)
            : Outcome.Of(
                OutcomeCategory.Malformed, $"'{Parameter}' is not that of a next link which this list gave you within the last hour");
    }

    // As JSON, so that no two contexts are one text. The parameters in an order of their own: a form's come behind those of its URL.
    private static string ContextOf(Caller caller, string list)
    {
        var question = list.IndexOf('?', StringComparison.Ordinal);
        var (path, query) = question < 0 ? (list, "") : (list[..question], list[(question + 1)..]);
        var parameters = query.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Where(p => !p.StartsWith("_count=", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var (subject, author) = (caller.Requester.Subject, caller.Requester.Author);
        string[][] context =
            [[subject, author], [.. caller.Requester.Purposes.Order(StringComparer.Ordinal)], [path], [.. parameters]];
        return JsonSerializer.Serialize(context);
    }
}
