using System.Net;
using System.Net.Sockets;

namespace PmrGateway.Tools.Attacks;

/// <summary>An address that nobody has a reason to connect to; it counts who does.</summary>
internal sealed class Bait : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private int _hits;

    public Bait()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How often somebody connected, a moment later.</summary>
    public async Task<int> HitsAsync()
    {
        await Task.Delay(300);
        return Volatile.Read(ref _hits);
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using var caller = await _listener.AcceptTcpClientAsync();
                Interlocked.Increment(ref _hits);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was disposed of.
        }
    }
}
