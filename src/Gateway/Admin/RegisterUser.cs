using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Admin;

/// <summary>A person whom the operator lets log in.</summary>
/// <param name="Username">Login name.</param>
/// <param name="Password">Password, at least 12 characters.</param>
/// <param name="FhirUser"><c>Practitioner/id</c> or <c>Patient/id</c>.</param>
internal sealed record UserRegistration(string Username, string Password, string FhirUser);

/// <summary>POST /admin/users.</summary>
internal static class RegisterUser
{
    private const int MinPassword = 12;

    public static async Task<Outcome?> RunAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var user = await context.Request.ReadFromJsonAsync<UserRegistration>(context.RequestAborted);
        if (user is null || string.IsNullOrEmpty(user.Username) || user.Password is not { Length: >= MinPassword })
            return Outcome.Of(OutcomeCategory.Invalid, $"username and a password of at least {MinPassword} characters are needed");
        if (!Exists(services.GetRequiredService<DirectoryStore>(), user.FhirUser ?? ""))
            return Outcome.Of(OutcomeCategory.Invalid, "fhirUser is no registered Patient/id or Practitioner/id");
        var users = services.GetRequiredService<AuthDatabase>();
        if (await users.Users.AnyAsync(u => u.Id == user.Username, context.RequestAborted))
            return Outcome.Of(OutcomeCategory.Conflict, "the user is registered already");
        var row = new AuthUser { Id = user.Username, PasswordHash = "", FhirUser = user.FhirUser! };
        row.PasswordHash = services.GetRequiredService<IPasswordHasher<AuthUser>>().HashPassword(row, user.Password);
        users.Users.Add(row);
        await users.SaveChangesAsync(context.RequestAborted);
        if (row.FhirUser.StartsWith("Practitioner/", StringComparison.Ordinal))
            await OperatorEndpoints.BindAsync(services, row.FhirUser, "user:" + row.Id);
        return null;
    }

    private static bool Exists(DirectoryStore directory, string fhirUser) => fhirUser.Split('/') is ["Patient", var id]
        ? directory.Patient(id) is not null
        : directory.Actor(fhirUser) is { } actor && actor.Kind == (int)ActorKind.Practitioner;
}
