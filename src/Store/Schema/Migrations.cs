using System.Data.Common;
using DbUp.Builder;
using DbUp.Engine;
using DbUp.Engine.Output;

namespace PmrGateway.Store;

/// <summary>
/// The numbered steps from any earlier state of the tables to the current one, forward only. Each is done in a transaction and noted in
/// the database, so a start that was cut off goes on where it stopped.
/// </summary>
internal static class Migrations
{
    // A step may touch every row of a database that has grown for years.
    private static readonly TimeSpan LongestStep = TimeSpan.FromDays(1);

    private const string Prefix = "PmrGateway.Store.Schema.";

    /// <summary>Does what has not been done.</summary>
    /// <param name="upgrade">A builder of dbup for the database.</param>
    /// <param name="open">A connection to it.</param>
    /// <param name="identity">A column that counts by itself.</param>
    /// <param name="blob">The type of bytes.</param>
    /// <param name="clustered">What stands behind a table that lies in the order of its key.</param>
    /// <param name="jsonList">The aggregate that makes a JSON array.</param>
    /// <param name="text">The type of a text that is ordered by its code points, so that what begins alike lies together.</param>
    /// <param name="isAskedAlone">Whether nothing is done, and it is only asked whether there is something to do.</param>
    /// <exception cref="StoreStartException">A step failed; the ones before it are done. Or there is one to do, and none is to be done.
    /// </exception>
    public static void Run(
        Func<UpgradeEngineBuilder> upgrade, Func<DbConnection> open, string identity, string blob, string clustered, string jsonList,
        string text, bool isAskedAlone)
    {
        var scripts = typeof(Migrations).Assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).Select(Script).ToList();
        if (isAskedAlone)
        {
            if (Upgrade(scripts).IsUpgradeRequired())
                throw new StoreStartException("the database is of an earlier version: start the gateway of this version on it first");
            return;
        }
        // Between them data is carried over by code.
        Scripts([.. scripts.TakeWhile(s => string.CompareOrdinal(s.Name, "0003") < 0)]);
        using (var connection = open()) FirstFloorData.CarryOver(connection);
        // It reads the index as it was.
        Scripts([.. scripts.TakeWhile(s => string.CompareOrdinal(s.Name, "0007") < 0)]);
        using (var connection = open()) AccessFacts.CarryOver(connection);
        Scripts(scripts);

        SqlScript Script(string resource)
        {
            using var stream = typeof(Migrations).Assembly.GetManifestResourceStream(resource)!;
            using var reader = new StreamReader(stream);
            var script = reader.ReadToEnd().Replace("$identity$", identity, StringComparison.Ordinal)
                .Replace("$blob$", blob, StringComparison.Ordinal).Replace("$clustered$", clustered, StringComparison.Ordinal)
                .Replace("$jsonList$", jsonList, StringComparison.Ordinal).Replace("$text$", text, StringComparison.Ordinal);
            return new SqlScript(resource[Prefix.Length..], script);
        }

        UpgradeEngine Upgrade(IReadOnlyList<SqlScript> steps) => upgrade().WithScripts(steps).WithVariablesDisabled()
            .WithTransactionPerScript().WithExecutionTimeout(LongestStep).LogTo(new NoOpUpgradeLog()).Build();

        void Scripts(IReadOnlyList<SqlScript> steps)
        {
            var result = Upgrade(steps).PerformUpgrade();
            if (!result.Successful)
                throw new StoreStartException(
                    $"the database cannot be brought to this version, step {result.ErrorScript?.Name}: {result.Error.Message}",
                    result.Error);
        }
    }
}
