using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PmrGateway.Bench.Rest;

/// <summary>An answer; its body lies in the connection's buffer until the next request.</summary>
internal readonly record struct RawAnswer(int Status, ReadOnlyMemory<byte> Body);

/// <summary>
/// One keep-alive HTTP/1.1 connection, one request at a time. HttpClient would cost as much CPU as the floor's reads do, on the cores that
/// the servers need.
/// </summary>
internal sealed class HttpConnection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[64 * 1024];
    private int _read;

    public static async Task<HttpConnection> OpenAsync(int port)
    {
        var connection = new HttpConnection();
        await connection._socket.ConnectAsync(IPAddress.Loopback, port);
        return connection;
    }

    /// <summary>Sends a whole request and receives the whole answer.</summary>
    /// <exception cref="IOException">The server closed the connection, or sent what is not understood here.</exception>
    public async ValueTask<RawAnswer> SendAsync(ReadOnlyMemory<byte> request)
    {
        for (var rest = request; rest.Length > 0;) rest = rest[await _socket.SendAsync(rest, SocketFlags.None)..];
        _read = 0;
        int headEnd;
        while ((headEnd = _buffer.AsSpan(0, _read).IndexOf("\r\n\r\n"u8)) < 0) await ReceiveAsync();
        var status = int.Parse(_buffer.AsSpan(9, 3), CultureInfo.InvariantCulture);
        var bodyStart = headEnd + 4;
        if (Header("content-length:"u8, headEnd) is { } length)
        {
            var end = bodyStart + int.Parse(length.Span, CultureInfo.InvariantCulture);
            while (_read < end) await ReceiveAsync();
            return new RawAnswer(status, _buffer.AsMemory(bodyStart..end));
        }
        if (Header("transfer-encoding:"u8, headEnd) is null)
            return status is 204 or 304 ? new RawAnswer(status, default) : throw new IOException("an answer without a length");
        var chunked = await ReceiveChunksAsync(bodyStart);
        return new RawAnswer(status, _buffer.AsMemory(bodyStart, chunked));
    }

    public void Dispose() => _socket.Dispose();

    // The value of a header, whose name is given in lower case with its colon.
    private ReadOnlyMemory<byte>? Header(ReadOnlySpan<byte> name, int headEnd)
    {
        for (var at = _buffer.AsSpan(0, headEnd).IndexOf("\r\n"u8) + 2; at < headEnd;)
        {
            var line = _buffer.AsSpan(at..(headEnd + 2));
            line = line[..line.IndexOf("\r\n"u8)];
            if (line.Length > name.Length && Ascii.EqualsIgnoreCase(line[..name.Length], name))
            {
                var value = _buffer.AsMemory(at + name.Length, line.Length - name.Length);
                return value[value.Span.IndexOfAnyExcept((byte)' ')..];
            }
            at += line.Length + 2;
        }
        return null;
    }

    // Moves the chunks together, from bodyStart on; gives their length.
    private async ValueTask<int> ReceiveChunksAsync(int bodyStart)
    {
        var (write, at) = (bodyStart, bodyStart);
        while (true)
        {
            int lineLength;
            while ((lineLength = _buffer.AsSpan(at.._read).IndexOf("\r\n"u8)) < 0) await ReceiveAsync();
            var size = int.Parse(_buffer.AsSpan(at, lineLength), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            at += lineLength + 2;
            while (_read < at + size + 2) await ReceiveAsync();
            _buffer.AsSpan(at, size).CopyTo(_buffer.AsSpan(write));
            write += size;
            at += size + 2;
            if (size == 0) return write - bodyStart;
        }
    }

    private async ValueTask ReceiveAsync()
    {
        if (_read == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
        var received = await _socket.ReceiveAsync(_buffer.AsMemory(_read), SocketFlags.None);
        if (received == 0) throw new IOException("the server closed the connection");
        _read += received;
    }
}
