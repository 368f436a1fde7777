using System.Buffers;
using System.Security.Cryptography;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// Walks over a JSON text as it comes in, in pieces cut anywhere, keeps it, and sends each large <c>data</c> of an attachment through
/// base64 and the vault to the blocks instead. It knows strings, names and nesting and nothing else of JSON: what is wrong stays as it
/// is, for the parser to refuse; up to the first error both see the same strings.
/// </summary>
internal sealed class AttachmentCutter : IDisposable
{
    /// <summary>A text of more characters than that, as it is written, is cut out.</summary>
    internal const int InlineLimit = 64 << 10;

    private const int MaxDepth = 4096;
    private readonly StreamedBody _body;
    private readonly List<(bool IsObject, bool HoldsData)> _open = [];
    private readonly byte[] _window = ArrayPool<byte>.Shared.Rent(InlineLimit);
    private byte[] _json = ArrayPool<byte>.Shared.Rent(InlineLimit * 2);
    private int _length;

    private int _stringStart = -1;
    private bool _isName;
    private bool _isEscaped;
    private bool _isCandidate;
    private bool _expectsName;
    private bool _nameHoldsData;
    private bool _nameIsData;
    private Cut? _cut;

    /// <summary>A walk over a body from its start.</summary>
    public AttachmentCutter(StreamedBody body) => _body = body;

    /// <summary>Takes the next piece.</summary>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public async ValueTask FeedAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellation)
    {
        while (piece.Length > 0)
        {
            if (_cut is null) piece = piece[Walk(piece.Span)..];
            // The walk stops behind a text that became too long: its beginning is decoded first, then the rest of it.
            if (_cut is { IsFresh: true }) await CutBeginningAsync(cancellation);
            if (_cut is not null) piece = piece[await CutAsync(piece, cancellation)..];
        }
    }

    /// <summary>Ends the body: its JSON is complete.</summary>
    public void Complete() => _body.Json = _json.AsSpan(0, _length).ToArray();

    /// <summary>Gives the buffers back.</summary>
    public void Dispose()
    {
        _cut?.Dispose();
        ArrayPool<byte>.Shared.Return(_window);
        ArrayPool<byte>.Shared.Return(_json, clearArray: true);
    }

    // Copies the piece and follows its structure; stops early where a text has to be cut.
    private int Walk(ReadOnlySpan<byte> piece)
    {
        var at = 0;
        while (at < piece.Length)
        {
            if (_stringStart >= 0)
            {
                at += InString(piece[at..]);
                if (!_isCandidate || Room >= 0) continue;
                _cut = new Cut(_body.Upload, _window);
                return at;
            }
            var run = piece[at..].IndexOfAny(Structure);
            if (run < 0) run = piece.Length - at;
            Keep(piece.Slice(at, run));
            at += run;
            if (at == piece.Length) break;
            Keep(piece.Slice(at, 1));
            Token(piece[at++]);
        }
        return at;
    }

    private static readonly SearchValues<byte> Structure = SearchValues.Create("{}[],:\""u8);

    private void Token(byte c)
    {
        switch (c)
        {
            case (byte)'{' or (byte)'[':
                // The root may be a Binary; a value in an array is under the array's name.
                var holds = _open.Count == 0 || (_open[^1].IsObject ? _nameHoldsData : _open[^1].HoldsData);
                // Deeper than any limit allows: the parser refuses it, and the walk needs no more memory for it.
                if (_open.Count < MaxDepth) _open.Add((c == (byte)'{', holds));
                _expectsName = c == (byte)'{';
                break;
            case (byte)'}' or (byte)']':
                if (_open.Count > 0) _open.RemoveAt(_open.Count - 1);
                break;
            case (byte)',':
                _expectsName = _open.Count > 0 && _open[^1].IsObject;
                break;
            case (byte)':':
                _expectsName = false;
                break;
            default:
                _stringStart = _length - 1;
                _isName = _expectsName;
                _isCandidate = !_isName && _nameIsData && _open is [.., { IsObject: true, HoldsData: true }];
                break;
        }
    }

    // Characters that the open string, its opening quote kept, may still have and stay.
    private int Room => InlineLimit + 1 - (_length - _stringStart);

    private int InString(ReadOnlySpan<byte> piece)
    {
        if (_isEscaped)
        {
            _isEscaped = false;
            Keep(piece[..1]);
            return 1;
        }
        var stop = piece.IndexOfAny((byte)'"', (byte)'\\');
        var n = stop < 0 ? piece.Length : stop + 1;
        // A candidate is kept to just over the limit, however long the piece.
        if (_isCandidate && (stop < 0 ? piece.Length : stop) > Room) (n, stop) = (Room + 1, -1);
        Keep(piece[..n]);
        if (stop < 0) return n;
        if (piece[stop] == (byte)'\\') _isEscaped = true;
        else EndString();
        return n;
    }

    private void EndString()
    {
        if (_isName)
        {
            // A name written with escapes is one that nobody writes: what is under it just stays.
            var name = _json.AsSpan((_stringStart + 1)..(_length - 1));
            _nameIsData = name.SequenceEqual("data"u8);
            _nameHoldsData = AttachmentPlaces.Contains(name);
        }
        _stringStart = -1;
        _isCandidate = false;
    }

    private async ValueTask CutBeginningAsync(CancellationToken cancellation)
    {
        var beginning = _json.AsMemory((_stringStart + 1).._length);
        _cut!.IsFresh = false;
        for (var at = 0; at < beginning.Length;) at += await _cut.FeedAsync(beginning[at..], cancellation);
        _length = _stringStart;
        _isEscaped = false;
    }

    private async ValueTask<int> CutAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellation)
    {
        var n = piece.Length == 0 ? 0 : await _cut!.FeedAsync(piece, cancellation);
        if (!_cut!.IsEnded) return n;
        var (data, content) = await _cut.CompleteAsync(cancellation);
        Keep("\""u8);
        Keep(System.Text.Encoding.ASCII.GetBytes(_body.Add(data, content)));
        Keep("\""u8);
        _cut.Dispose();
        _cut = null;
        EndString();
        return n;
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _json.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + bytes.Length, _json.Length * 2));
            _json.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_json, clearArray: true);
            _json = larger;
        }
        bytes.CopyTo(_json.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>One text on its way into the blocks, as the Binary that the gateway will make of it.</summary>
    private sealed class Cut(ContentUpload upload, byte[] window) : IDisposable
    {
        private readonly string _binaryId = ResourceId.New();
        private readonly Base64Window _base64 = new(window);
        private readonly IncrementalHash _sha1 = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        // The body that it is cut out of has a limit of its own.
        private readonly ResourceCopy _copy = new(int.MaxValue);
        private ContentWriter? _writer;

        public bool IsFresh { get; set; } = true;

        public bool IsEnded => _base64.IsEnded;

        public async ValueTask<int> FeedAsync(ReadOnlyMemory<byte> raw, CancellationToken cancellation)
        {
            var n = _base64.Feed(raw.Span);
            var bytes = _base64.Take();
            if (_base64.Problem is not null || bytes.Length == 0) return n;
            _sha1.AppendData(bytes.Span);
            _copy.Add(bytes.Span);
            _writer ??= upload.Write(new SealContext("Binary", _binaryId, 1));
            await _writer.WriteAsync(bytes, cancellation);
            return n;
        }

        public async Task<(CutData Data, StreamedContent? Content)> CompleteAsync(CancellationToken cancellation)
        {
            if (_base64.Problem is not null || _writer is null)
                return (new CutData(_binaryId, 0, [], _base64.Problem ?? "not base64 (RFC 4648, section 4)"), null);
            var content = await _writer.CompleteAsync(cancellation);
            return (new CutData(_binaryId, content.Size, _sha1.GetHashAndReset(), null) { Text = _copy.Bytes }, content);
        }

        public void Dispose()
        {
            _writer?.Dispose();
            _sha1.Dispose();
        }
    }
}
