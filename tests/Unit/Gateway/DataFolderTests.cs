using PmrGateway.Gateway.Hosting;
using PmrGateway.Tests.Unit.LedgerAdapter;

namespace PmrGateway.Tests.Unit.Gateway;

public sealed class DataFolderTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void The_data_folder_is_its_owners_alone_also_where_it_was_open()
    {
        var log = new LogLines();
        var folder = _folder["data"];
        using (DataFolderLock.Take(folder, log)) Assert.Equal(Private, File.GetUnixFileMode(folder));
        Assert.Empty(log.Lines);
        File.SetUnixFileMode(folder, Private | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead);
        using (DataFolderLock.Take(folder, log)) Assert.Equal(Private, File.GetUnixFileMode(folder));
        Assert.Contains(folder, Assert.Single(log.Lines));
    }

    public void Dispose() => _folder.Dispose();
}
