using System.Globalization;
using Nethereum.Contracts;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Every transaction that the gateway sends, with its key, its rank and what it must follow: the one place where these are named.
/// </summary>
public static class ChainCommands
{
    /// <summary>Key of an actor's registration.</summary>
    /// <param name="reference">The actor's resource, <c>Type/id</c>.</param>
    public static string ActorKey(string reference) => "actor " + reference;

    /// <summary>Key of a patient's registration.</summary>
    public static string PatientKey(string patientId) => "patient " + patientId;

    /// <summary>Key of a grant.</summary>
    /// <param name="commitment">Commitment, hex.</param>
    public static string GrantKey(string commitment) => "grant " + commitment;

    /// <summary>Key of a revocation.</summary>
    /// <param name="commitment">Commitment, hex.</param>
    public static string RevokeKey(string commitment) => "revoke " + commitment;

    /// <summary>Whether a command is a grant: one whose time is over is worth nothing.</summary>
    internal static bool Grants(ChainCommand command) => command.Key.StartsWith(GrantKey(""), StringComparison.Ordinal);

    /// <summary>Key of a contract's creation.</summary>
    internal static string DeployKey(string contract) => "deploy " + contract;

    /// <summary>Registers a hospital.</summary>
    public static ChainCommand RegisterHospital(string reference, byte[] id, byte[] nameHash, byte[] addressHash, string endpoint) =>
        Register(reference, new RegisterHospitalFunction(id, nameHash, addressHash, endpoint).GetCallData());

    /// <summary>Registers an insurer.</summary>
    public static ChainCommand RegisterInsurer(string reference, byte[] id, byte[] nameHash) =>
        Register(reference, new RegisterInsurerFunction(id, nameHash).GetCallData());

    /// <summary>Registers a practitioner of a hospital.</summary>
    /// <param name="reference">The practitioner's resource.</param>
    /// <param name="id">Its on-chain id.</param>
    /// <param name="registrationNumberHash">Salted hash of its registration number.</param>
    /// <param name="hospital">The hospital's resource.</param>
    /// <param name="hospitalId">The hospital's on-chain id.</param>
    public static ChainCommand RegisterPractitioner(
        string reference, byte[] id, byte[] registrationNumberHash, string hospital, byte[] hospitalId) =>
        Register(reference, new RegisterPractitionerFunction(id, registrationNumberHash, hospitalId).GetCallData(), ActorKey(hospital));

    /// <summary>Suspends or reinstates an actor.</summary>
    public static ChainCommand SetStatus(string reference, byte[] id, bool isActive) => new(
        // Each change is a wish of its own: an actor may be suspended twice.
        $"status {reference} {ResourceId.New()}",
        ContractSet.Actors,
        "setStatus",
        new SetStatusFunction(id, isActive ? (byte)1 : (byte)2).GetCallData(),
        // Both ways in one class, so that they keep their order.
        OutboxPriority.Withdrawal,
        ActorKey(reference));

    /// <summary>Sets a hospital's standing break-glass policy, or ends it.</summary>
    /// <param name="reference">The hospital's resource.</param>
    /// <param name="id">Its on-chain id.</param>
    /// <param name="policyHash">Salted hash of the policy; zero: it has none any more.</param>
    public static ChainCommand SetBreakGlassPolicy(string reference, byte[] id, byte[] policyHash) => new(
        $"policy {reference} {ResourceId.New()}",
        ContractSet.Actors,
        "setBreakGlassPolicy",
        new SetBreakGlassPolicyFunction(id, policyHash).GetCallData(),
        // Both ways in one class, so that they keep their order, and before what is granted under it.
        OutboxPriority.Withdrawal,
        ActorKey(reference));

    /// <summary>Binds a client or user to an actor.</summary>
    /// <param name="reference">The actor's resource.</param>
    /// <param name="actorId">Its on-chain id.</param>
    /// <param name="bindingKey">keccak256(issuer || 0x00 || client or subject), hex.</param>
    public static ChainCommand BindClient(string reference, byte[] actorId, string bindingKey) => new(
        // Each is a wish of its own: who was unbound may be bound again.
        $"bind {bindingKey} {ResourceId.New()}",
        ContractSet.Actors,
        "bindClient",
        new BindClientFunction(actorId, Convert.FromHexString(bindingKey)).GetCallData(),
        OutboxPriority.Registration,
        ActorKey(reference));

    /// <summary>Ends the binding of a client or user.</summary>
    /// <param name="reference">Resource of the actor that it is bound to.</param>
    /// <param name="bindingKey">The key under which it is bound, hex.</param>
    /// <param name="registration">
    /// Which registration ends, as a name of its own: asked for twice it is one wish, since a second one would end what is bound after it.
    /// </param>
    public static ChainCommand UnbindClient(string reference, string bindingKey, string registration) => new(
        $"unbind {bindingKey} {registration}",
        ContractSet.Actors,
        "unbindClient",
        new UnbindClientFunction(Convert.FromHexString(bindingKey)).GetCallData(),
        // In one class with binding, so that the two keep their order.
        OutboxPriority.Registration,
        ActorKey(reference));

    /// <summary>Registers a patient under a hospital's custody.</summary>
    /// <param name="patientId">Patient id.</param>
    /// <param name="key">The patient's on-chain key.</param>
    /// <param name="controller">Address of who controls the record.</param>
    /// <param name="custodian">The hospital's resource.</param>
    /// <param name="custodianId">The hospital's on-chain id.</param>
    public static ChainCommand RegisterPatient(
        string patientId, byte[] key, byte[] controller, string custodian, byte[] custodianId) => new(
        PatientKey(patientId),
        ContractSet.Consents,
        "registerPatient",
        new RegisterPatientFunction(key, EthereumAccount.Text(controller), custodianId).GetCallData(),
        OutboxPriority.Registration,
        ActorKey(custodian));

    /// <summary>Grants a consent.</summary>
    /// <param name="patientId">Patient id.</param>
    /// <param name="intent">The intent.</param>
    /// <param name="signature">The controller's signature over it.</param>
    public static ChainCommand Grant(string patientId, GrantIntent intent, byte[] signature) => new(
        GrantKey(Convert.ToHexStringLower(intent.Commitment)),
        ContractSet.Consents,
        "grantBySig",
        new GrantBySigFunction(intent, signature).GetCallData(),
        OutboxPriority.Grant,
        PatientKey(patientId));

    /// <summary>Grants in an emergency, under the standing policy of the hospital that keeps the record.</summary>
    /// <param name="patientId">Patient id.</param>
    /// <param name="key">The patient's on-chain key.</param>
    /// <param name="commitment">Commitment to the terms.</param>
    /// <param name="notBefore">First second at which it counts, Unix time.</param>
    /// <param name="notAfter">Last second at which it counts.</param>
    public static ChainCommand BreakGlass(
        string patientId, byte[] key, byte[] commitment, ulong notBefore, ulong notAfter) => new(
        GrantKey(Convert.ToHexStringLower(commitment)),
        ContractSet.Consents,
        "breakGlass",
        new BreakGlassFunction(key, commitment, notBefore, notAfter).GetCallData(),
        OutboxPriority.Grant,
        PatientKey(patientId));

    /// <summary>Revokes a consent.</summary>
    /// <param name="intent">The intent.</param>
    /// <param name="signature">The controller's signature over it.</param>
    public static ChainCommand Revoke(RevokeIntent intent, byte[] signature)
    {
        var commitment = Convert.ToHexStringLower(intent.Commitment);
        return new ChainCommand(
            RevokeKey(commitment),
            ContractSet.Consents,
            "revokeBySig",
            new RevokeBySigFunction(intent, signature).GetCallData(),
            OutboxPriority.Withdrawal,
            GrantKey(commitment));
    }

    /// <summary>Hands a patient's record over to another controller.</summary>
    /// <param name="patientId">Patient id.</param>
    /// <param name="intent">The intent.</param>
    /// <param name="given">The old controller's signature.</param>
    /// <param name="taken">The new one's.</param>
    public static ChainCommand HandOver(string patientId, HandOverIntent intent, byte[] given, byte[] taken) => new(
        $"hand over {patientId} {intent.Nonce.ToString(CultureInfo.InvariantCulture)}",
        ContractSet.Consents,
        "handOver",
        new HandOverFunction(intent, given, taken).GetCallData(),
        OutboxPriority.Grant,
        PatientKey(patientId));

    /// <summary>Anchors a batch.</summary>
    /// <param name="custodian">The custodian's resource.</param>
    /// <param name="actorId">Its on-chain id.</param>
    /// <param name="sequence">The batch's number.</param>
    /// <param name="root">Root of its tree.</param>
    /// <param name="leafCount">Number of its leaves.</param>
    /// <param name="sealedCid">The segment's CID, sealed.</param>
    internal static ChainCommand Anchor(
        string custodian, byte[] actorId, long sequence, byte[] root, int leafCount, byte[] sealedCid) => new(
        // By root: a batch may get another number, its root stays.
        $"anchor {custodian} {Convert.ToHexStringLower(root)}",
        ContractSet.Anchors,
        "anchor",
        new AnchorFunction(actorId, (ulong)sequence, root, (uint)leafCount, sealedCid).GetCallData(),
        OutboxPriority.Anchor,
        ActorKey(custodian));

    /// <summary>Creates a contract.</summary>
    internal static ChainCommand Deploy(string contract, byte[] creationCode) =>
        new(DeployKey(contract), "", contract, creationCode, OutboxPriority.Foundation);

    /// <summary>Uses up a nonce that nothing of ours holds any more, so that those above it can be mined.</summary>
    internal static ChainCommand Fill(long nonce) =>
        new($"fill {nonce} {ResourceId.New()}", ContractSet.Self, "fill", [], OutboxPriority.Foundation);

    private static ChainCommand Register(string reference, byte[] call, string? after = null) =>
        new(ActorKey(reference), ContractSet.Actors, "register", call, OutboxPriority.Registration, after);
}
