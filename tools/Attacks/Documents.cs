namespace PmrGateway.Tools.Attacks;

/// <summary>Resources that attacks are made of.</summary>
internal static class Documents
{
    /// <summary>A DocumentReference about a patient.</summary>
    /// <param name="patient">The patient's id.</param>
    /// <param name="attachment">Members of its attachment.</param>
    /// <param name="more">Further members of the resource, each with its comma behind it.</param>
    public static string Of(string patient, string attachment, string more = "") => $$$"""
        {"resourceType":"DocumentReference",{{{more}}}"status":"current","subject":{"reference":"Patient/{{{patient}}}"},
        "content":[{"attachment":{{{{attachment}}}}}]}
        """;

    /// <summary>An Observation about a patient.</summary>
    /// <param name="patient">The patient's id.</param>
    /// <param name="more">Further members, each with its comma before it.</param>
    public static string Observation(string patient, string more = "") => $$$"""
        {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}{{{more}}}}
        """;
}
