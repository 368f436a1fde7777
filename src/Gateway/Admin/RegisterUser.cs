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

    public static async Task<Outcome?> RunAsync(HttpContext context, UserRegistration user)
    {
        var (services, fhirUser) = (context.RequestServices, user.FhirUser);
        if (!OperatorEndpoints.IsName(user.Username)) return OperatorEndpoints.Bad("username", "a login name");
        if (PasswordProblem(user.Password) is { } problem) return problem;
        if (!OperatorEndpoints.IsName(fhirUser)) return OperatorEndpoints.Bad("fhirUser", "a reference");
        var directory = services.GetRequiredService<DirectoryStore>();
        var doctor = await directory.ActorAsync(fhirUser, context.RequestAborted) is { Kind: ActorKind.Practitioner } found ? found : null;
        var isPatient = fhirUser.Split('/') is ["Patient", var id]
            && await directory.PatientAsync(id, context.RequestAborted) is not null;
        if (doctor is null && !isPatient)
            return Outcome.Of(OutcomeCategory.Invalid, "fhirUser is no registered Patient/id or Practitioner/id");
        var users = services.GetRequiredService<AuthDatabase>();
        if (await users.Users.AnyAsync(u => u.Id == user.Username, context.RequestAborted))
            return Outcome.Of(OutcomeCategory.Conflict, "the user is registered already");
        var row = new AuthUser { Id = user.Username, PasswordHash = "", FhirUser = fhirUser };
        row.PasswordHash = services.GetRequiredService<IPasswordHasher<AuthUser>>().HashPassword(row, user.Password);
        services.GetRequiredService<AuthSeals>().Put(row);
        users.Users.Add(row);
        await users.SaveChangesAsync(context.RequestAborted);
        if (doctor is not null) await OperatorEndpoints.BindAsync(services, doctor, "user:" + row.Id);
        return null;
    }

    /// <summary>Why a password is none; null: it is one.</summary>
    public static Outcome? PasswordProblem(string? password) => password switch
    {
        null => OperatorEndpoints.Bad("password", "a password"),
        { Length: < MinPassword } => Outcome.Of(
            OutcomeCategory.Invalid, $"password has fewer than {MinPassword} characters", "password"),
        _ => null,
    };
}
