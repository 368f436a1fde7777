using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

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
}

/// <summary>Clients, users, grants and tokens of the gateway's own issuer, in the tables that OpenIddict defines.</summary>
internal sealed class AuthDatabase(DbContextOptions<AuthDatabase> options) : DbContext(options)
{
    private const string Schema = "auth";

    /// <summary>The users.</summary>
    public DbSet<AuthUser> Users => Set<AuthUser>();

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        // Beside the records' tables in one database.
        if (Database.IsNpgsql()) modelBuilder.HasDefaultSchema(Schema);
        modelBuilder.Entity<AuthUser>().HasKey(u => u.Id);
    }

    /// <summary>Makes the tables where they are not there. One process does this at a time.</summary>
    public async Task CreateTablesAsync(CancellationToken cancellation)
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
