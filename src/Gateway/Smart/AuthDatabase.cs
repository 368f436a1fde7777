using Microsoft.EntityFrameworkCore;

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
    /// <summary>The users.</summary>
    public DbSet<AuthUser> Users => Set<AuthUser>();

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<AuthUser>().HasKey(u => u.Id);
}
