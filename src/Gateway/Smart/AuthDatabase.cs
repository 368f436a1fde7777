using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;

namespace PmrGateway.Gateway.Smart;

/// <summary>A person who can log in at the gateway's own issuer.</summary>
internal sealed class AuthUser
{
    /// <summary>Login name.</summary>
    public required string Id { get; set; }

    /// <summary>Hash by ASP.NET Core Identity's PasswordHasher (PBKDF2).</summary>
    public required string PasswordHash { get; set; }

    /// <summary>Who it is: <c>Practitioner/id</c> or <c>Patient/id</c>.</summary>
    public required string FhirUser { get; set; }

    /// <summary>Seal of the above under the keyring, <see cref="AuthSeals"/>.</summary>
    public byte[]? Seal { get; set; }
}

/// <summary>
/// Clients, users, grants and tokens of the gateway's own issuer, in the tables that OpenIddict defines; and the assertions of clients that
/// were used.
/// </summary>
internal sealed class AuthDatabase(DbContextOptions<AuthDatabase> options) : DbContext(options)
{
    private const string Schema = "auth";

    /// <summary>The users.</summary>
    public DbSet<AuthUser> Users => Set<AuthUser>();

    private const string UsedAssertions = "used_assertions";

    /// <summary>Uses something up that may be used once: of all who try, in whatever process on this database, one succeeds.</summary>
    /// <param name="id">What it is.</param>
    /// <param name="now">The present instant.</param>
    /// <param name="until">Until when it must be remembered.</param>
    /// <param name="cancellation">Stops the wait.</param>
    public async Task<bool> UseOnceAsync(string id, DateTimeOffset now, DateTimeOffset until, CancellationToken cancellation)
    {
        await Database.ExecuteSqlRawAsync(
            InSchema("DELETE FROM used_assertions WHERE expires < {0}"), [now.ToUnixTimeSeconds()], cancellation);
        return await Database.ExecuteSqlRawAsync(
            InSchema("INSERT INTO used_assertions (id, expires) VALUES ({0}, {1}) ON CONFLICT (id) DO NOTHING"),
            [id, until.ToUnixTimeSeconds()], cancellation) == 1;
    }

    /// <summary>Whether there is a row of a client, whole or not.</summary>
    public Task<bool> HasClientAsync(string clientId, CancellationToken cancellation) =>
        Set<OpenIddictEntityFrameworkCoreApplication>().AnyAsync(c => c.ClientId == clientId, cancellation);

    /// <summary>The row of a client, whole or not; null: there is none.</summary>
    public Task<OpenIddictEntityFrameworkCoreApplication?> ClientAsync(string clientId, CancellationToken cancellation) =>
        Set<OpenIddictEntityFrameworkCoreApplication>().FirstOrDefaultAsync(c => c.ClientId == clientId, cancellation);

    /// <summary>The row of a user, whole or not; null: there is none.</summary>
    public Task<AuthUser?> UserAsync(string name, CancellationToken cancellation) =>
        Users.FirstOrDefaultAsync(u => u.Id == name, cancellation);

    private string InSchema(string sql) => Database.IsNpgsql()
        ? sql.Replace(UsedAssertions, $"{Schema}.{UsedAssertions}", StringComparison.Ordinal)
        : sql;

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        // Beside the records' tables in one database.
        if (Database.IsNpgsql()) modelBuilder.HasDefaultSchema(Schema);
        modelBuilder.Entity<AuthUser>().HasKey(u => u.Id);
    }

    /// <summary>Whether a change failed since somebody else made one of the same: a row is another, is gone, or is there already.</summary>
    public static bool IsChangedByOthers(Exception failure)
    {
        for (var e = failure; e is not null; e = e.InnerException)
        {
            if (e is DbUpdateConcurrencyException or OpenIddictExceptions.ConcurrencyException
                or SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CONSTRAINT }
                or PostgresException
                {
                    // Transactions in which PostgreSQL sees that they cannot both have gone before the other, too.
                    SqlState: PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.SerializationFailure
                        or PostgresErrorCodes.DeadlockDetected,
                })
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Makes the tables where they are not there. One process does this at a time.</summary>
    public async Task CreateTablesAsync(CancellationToken cancellation)
    {
        await CreateModelAsync(cancellation);
        // Not of the model: a database that has tables gets no more of those.
        await Database.ExecuteSqlRawAsync(
            InSchema("CREATE TABLE IF NOT EXISTS used_assertions (id TEXT PRIMARY KEY, expires BIGINT NOT NULL)"), cancellation);
        await AddSealsAsync(cancellation);
    }

    // Tables from before there were seals have no room for them.
    private async Task AddSealsAsync(CancellationToken cancellation)
    {
        if (Database.IsNpgsql())
        {
            await Database.ExecuteSqlRawAsync(
                $"ALTER TABLE {Schema}.\"Users\" ADD COLUMN IF NOT EXISTS \"Seal\" bytea", cancellation);
            return;
        }
        var columns = Database.SqlQuery<string>($"SELECT name AS Value FROM pragma_table_info('Users')");
        if (!await columns.ContainsAsync("Seal", cancellation))
            await Database.ExecuteSqlRawAsync("ALTER TABLE \"Users\" ADD COLUMN \"Seal\" BLOB", cancellation);
    }

    private async Task CreateModelAsync(CancellationToken cancellation)
    {
        if (Database.IsNpgsql())
        {
            // EnsureCreated does nothing in a database that has tables, and the records' are there.
            var isThere = Database.SqlQuery<bool>($"SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = {Schema}) AS \"Value\"");
            if (await isThere.SingleAsync(cancellation)) return;
            await Database.GetService<IRelationalDatabaseCreator>().CreateTablesAsync(cancellation);
            return;
        }
        await Database.EnsureCreatedAsync(cancellation);
    }
}
