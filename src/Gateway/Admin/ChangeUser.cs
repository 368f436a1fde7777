using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Identity;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;

namespace PmrGateway.Gateway.Admin;

/// <summary>What the operator changes of a person who logs in.</summary>
/// <param name="Password">The new password, at least 12 characters.</param>
internal sealed record UserChange(string? Password);

/// <summary>PUT and DELETE /admin/users/{name}. Either ends the tokens that the person has, on every gateway.</summary>
internal static class ChangeUser
{
    private static readonly Outcome Unknown = Outcome.Of(OutcomeCategory.NotFound, "there is no such user");

    /// <summary>Gives a person another password.</summary>
    public static async Task<Outcome?> PutAsync(HttpContext context, UserChange change)
    {
        var (services, name) = (context.RequestServices, OperatorEndpoints.NameOf(context));
        if (RegisterUser.PasswordProblem(change.Password) is { } problem) return problem;
        var (users, seals) = (services.GetRequiredService<AuthDatabase>(), services.GetRequiredService<AuthSeals>());
        // A broken row stays broken: a seal on it would make whole what somebody else wrote.
        if (await users.UserAsync(name, context.RequestAborted) is not { } user || !seals.Holds(user)) return Unknown;
        user.PasswordHash = services.GetRequiredService<IPasswordHasher<AuthUser>>().HashPassword(user, change.Password!);
        seals.Put(user);
        await users.SaveChangesAsync(CancellationToken.None);
        await EndTokensAsync(services, name);
        return null;
    }

    /// <summary>Lets a person log in no more.</summary>
    public static async Task<Outcome?> DeleteAsync(HttpContext context, string name)
    {
        var services = context.RequestServices;
        var users = services.GetRequiredService<AuthDatabase>();
        if (await users.UserAsync(name, context.RequestAborted) is not { } user) return Unknown;
        // First of the chain, then here: what is cut off in between is found again, and ended by asking once more.
        await EndTokensAsync(services, name);
        if (user.FhirUser.StartsWith("Practitioner/", StringComparison.Ordinal))
        {
            // Salted, so that no two registrations have the same.
            var registration = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(user.PasswordHash)));
            await OperatorEndpoints.UnbindAsync(services, user.FhirUser, "user:" + name, registration);
        }
        users.Users.Remove(user);
        await users.SaveChangesAsync(CancellationToken.None);
        services.GetRequiredService<AuthSeals>().Forget(user);
        // Those too that somebody logged in for meanwhile.
        await EndTokensAsync(services, name);
        return null;
    }

    // Those of a system of the same name too: it gets itself others.
    private static async Task EndTokensAsync(IServiceProvider services, string name)
    {
        await services.GetRequiredService<IOpenIddictTokenManager>().RevokeBySubjectAsync(name, CancellationToken.None);
        await OperatorEndpoints.TellTokensEndedAsync(services);
    }
}
