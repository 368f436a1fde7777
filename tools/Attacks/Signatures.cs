using System.Globalization;
using System.Numerics;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Scenarios;

namespace PmrGateway.Tools.Attacks;

/// <summary>Signed intents: other forms, other chains, again, too late, by others.</summary>
internal static class Signatures
{
    // The order of secp256k1.
    private static readonly BigInteger Order = BigInteger.Parse(
        "0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    [Plays("AT-037")]
    public static async Task One_signature_in_other_forms(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var grant = Ledger.NewGrant(patient);
        var signature = patient.Controller.Sign(ledger.Intents.Digest(grant)).ToBytes();
        foreach (var (sent, form) in FormsOf(signature))
        {
            var error = await ledger.ErrorOfAsync(Ledger.Stranger, Ledger.GrantBySig(grant, form));
            a.Check(error == "SignatureInvalid", $"a grant with {sent}, to the contract", "SignatureInvalid", error ?? "taken");
        }
        a.Check(await ledger.SendAsync(Ledger.Stranger, Ledger.GrantBySig(grant, signature)), "the canonical form", "taken", "reverted");
        foreach (var (sent, form) in FormsOf(signature).Prepend(("the same", signature)))
        {
            var again = await ledger.ErrorOfAsync(Ledger.Stranger, Ledger.GrantBySig(grant, form));
            a.Check(again == "NonceUsed", $"{sent} after it", "NonceUsed", again ?? "taken");
        }

        var (self, wallet) = (await WalletPatientAsync(a, ledger), new Wallet());
        await ledger.HandOverAsync(self.Patient, wallet);
        var consent = ConsentText.Permit("Patient/" + self.Patient.Id, a.Stage.InsurerOrganization);
        var offer = IntentOffer.Grant(await self.Client.PostAsync("Consent/$intent", consent));
        var own = wallet.SignTypedData(offer.TypedData);
        foreach (var (sent, form) in FormsOf(own))
            a.Refused(await self.Client.PostAsync("Consent", offer.Signed(consent, form)), $"a Consent with {sent}", 400, 422);
        a.Status(await self.Client.PostAsync("Consent", offer.Signed(consent, own)), "a Consent with the canonical form", 201);
        a.Refused(await self.Client.PostAsync("Consent", offer.Signed(consent, own)), "the same Consent again", 409, 422);
    }

    [Plays("AT-080")]
    public static async Task A_signature_of_another_chain(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var grant = Ledger.NewGrant(patient);
        foreach (var (sent, intents) in new[]
        {
            ("chain 1", new ConsentIntents(1, ledger.ConsentsAddress)), ("chain 31337", new ConsentIntents(31337, ledger.ConsentsAddress)),
            ("another contract", new ConsentIntents(Ledger.ChainId, new byte[20])),
        })
        {
            var call = Ledger.GrantBySig(grant, patient.Controller.Sign(intents.Digest(grant)).ToBytes());
            var error = await ledger.ErrorOfAsync(Ledger.Stranger, call);
            a.Check(error == "SignatureInvalid", $"a grant signed for {sent}", "SignatureInvalid", error ?? "taken");
        }
        var right = Ledger.GrantBySig(grant, patient.Controller.Sign(ledger.Intents.Digest(grant)).ToBytes());
        a.Check(await ledger.ErrorOfAsync(Ledger.Stranger, right) is null, "the same signed for this chain", "taken", "reverted");

        var (self, wallet) = (await WalletPatientAsync(a, ledger), new Wallet());
        await ledger.HandOverAsync(self.Patient, wallet);
        var consent = ConsentText.Permit("Patient/" + self.Patient.Id, a.Stage.InsurerOrganization);
        var offer = IntentOffer.Grant(await self.Client.PostAsync("Consent/$intent", consent));
        var foreign = offer.TypedData.Replace("1337", "1", StringComparison.Ordinal);
        a.Check(foreign != offer.TypedData, "typed data", "the chain's id in it", offer.TypedData);
        var refused = await self.Client.PostAsync("Consent", offer.Signed(consent, wallet.SignTypedData(foreign)));
        a.Refused(refused, "a Consent signed for chain 1", 422);
    }

    [Plays("AT-082")]
    public static async Task A_signature_twice(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var grant = Ledger.NewGrant(patient);
        var call = Ledger.GrantBySig(grant, patient.Controller.Sign(ledger.Intents.Digest(grant)).ToBytes());
        a.Check(await ledger.SendAsync(Ledger.Stranger, call), "a grant", "taken", "reverted");
        async Task NonceUsedAsync(string sent)
        {
            var error = await ledger.ErrorOfAsync(Ledger.Stranger, call);
            a.Check(error == "NonceUsed", sent, "NonceUsed", error ?? "taken");
            a.Check(!await ledger.SendAsync(Ledger.Stranger, call), sent, "reverted", "taken");
        }
        await NonceUsedAsync("the grant again");
        var revoke = new RevokeIntent(patient.Key, grant.Commitment, ConsentIntents.NewNonce(), 4_000_000_000);
        var end = Ledger.RevokeBySig(revoke, patient.Controller.Sign(ledger.Intents.Digest(revoke)).ToBytes());
        a.Check(await ledger.SendAsync(Ledger.Stranger, end), "its revocation", "taken", "reverted");
        await NonceUsedAsync("the grant after its revocation");
        a.Check(!await ledger.IsPermittedAsync(patient.Key, grant.Commitment), "all of it", "no standing grant", "it stands");
        // Another nonce, the same terms under the same salt: a commitment stands once.
        var second = grant with { Nonce = ConsentIntents.NewNonce() };
        var newly = Ledger.GrantBySig(second, patient.Controller.Sign(ledger.Intents.Digest(second)).ToBytes());
        var known = await ledger.ErrorOfAsync(Ledger.Stranger, newly);
        a.Check(known == "GrantExists", "a new signature over the old commitment", "GrantExists", known ?? "taken");
        // The end of all grants: those of the epoch before stand no more, and their signatures are used up.
        var third = Ledger.NewGrant(patient);
        var thirdCall = Ledger.GrantBySig(third, patient.Controller.Sign(ledger.Intents.Digest(third)).ToBytes());
        var controller = Ledger.Hex(patient.Controller.Address);
        a.Check(await ledger.SendAsync(Ledger.Stranger, thirdCall), "another grant", "taken", "reverted");
        a.Check(await ledger.SendAsync(controller, new RevokeAllFunction(patient.Key).Data()), "the end of all", "taken", "reverted");
        a.Check(
            !await ledger.IsPermittedAsync(patient.Key, third.Commitment), "a grant of the epoch before", "no standing grant", "it stands");
        a.Check(!await ledger.SendAsync(Ledger.Stranger, thirdCall), "its signature again", "reverted", "taken");
    }

    [Plays("AT-083")]
    public static async Task A_signature_that_is_over_or_never_is(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var block = await a.Stage.Chain.RpcAsync("eth_getBlockByNumber", "latest", false);
        var now = Convert.ToInt64(block.GetProperty("timestamp").GetString(), 16);
        foreach (var deadline in new BigInteger[] { 0, now - 1 })
        {
            var grant = Ledger.NewGrant(patient, deadline);
            var call = Ledger.GrantBySig(grant, patient.Controller.Sign(ledger.Intents.Digest(grant)).ToBytes());
            var error = await ledger.ErrorOfAsync(Ledger.Stranger, call);
            a.Check(error == "IntentExpired", $"a grant with the deadline {deadline}", "IntentExpired", error ?? "taken");
        }
        var (self, wallet) = (await WalletPatientAsync(a, ledger), new Wallet());
        await ledger.HandOverAsync(self.Patient, wallet);
        var consent = ConsentText.Permit("Patient/" + self.Patient.Id, a.Stage.InsurerOrganization);
        foreach (var deadline in new[] { BigInteger.Pow(2, 256) - 1, now + 86_400 * 365, now - 1, 0 })
        {
            var offer = IntentOffer.Grant(await self.Client.PostAsync("Consent/$intent", consent));
            var text = deadline.ToString(CultureInfo.InvariantCulture);
            var moved = offer with
            {
                TypedData = offer.TypedData.Replace(offer.Deadline, text, StringComparison.Ordinal),
                Deadline = text,
            };
            var answer = await self.Client.PostAsync("Consent", moved.Signed(consent, wallet.SignTypedData(moved.TypedData)));
            a.Refused(answer, $"a Consent with the deadline {text}", 400, 422);
        }
    }

    [Plays("AT-086")]
    public static async Task A_grant_for_somebody_else(Attempt a)
    {
        var ledger = new Ledger(a);
        var (patient, other) = (await ledger.NewPatientAsync(), new EthereumAccount(NewKey()));
        var grant = Ledger.NewGrant(patient);
        async Task RevertsAsync(string sent, string error, byte[] data)
        {
            var found = await ledger.ErrorOfAsync(Ledger.Stranger, data);
            a.Check(found == error, sent, error, found ?? "taken");
        }
        await RevertsAsync(
            "grant() by a stranger", "NotController", new GrantFunction(patient.Key, grant.Commitment, 0, 4_000_000_000).Data());
        await RevertsAsync("revokeAll() by a stranger", "NotController", new RevokeAllFunction(patient.Key).Data());
        var guessed = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes("Patient/" + patient.Id));
        await RevertsAsync(
            "grant() for a guessed key", "PatientUnknown", new GrantFunction(guessed, grant.Commitment, 0, 4_000_000_000).Data());
        await RevertsAsync(
            "grantBySig() signed by a stranger", "SignatureInvalid", Ledger.GrantBySig(grant,
            other.Sign(ledger.Intents.Digest(grant)).ToBytes()));
        var neighbour = await ledger.NewPatientAsync();
        var moved = grant with { Patient = neighbour.Key };
        var custody = patient.Controller.Sign(ledger.Intents.Digest(grant)).ToBytes();
        await RevertsAsync("another patient's key under a signature", "SignatureInvalid", Ledger.GrantBySig(moved, custody));
        a.Check(!await ledger.IsPermittedAsync(patient.Key, grant.Commitment), "all of them", "no grant", "it stands");

        var permit = ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization);
        a.Refused(await a.Stage.OtherEhr.PostAsync("Consent", permit), "a Consent by another hospital", 403, 404, 422);
        a.Refused(await a.Stage.Insurer.PostAsync("Consent", permit), "a Consent by the insurer itself", 403, 404, 422);
        var stranger = (await WalletPatientAsync(a, ledger)).Client;
        a.Refused(await stranger.PostAsync("Consent", permit), "a Consent by another patient", 403, 404, 422);
        a.Refused(await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), "a read after them", 404);
    }

    /// <summary>The call data of a function.</summary>
    public static byte[] Data<T>(this T function)
        where T : Nethereum.Contracts.FunctionMessage => Nethereum.Contracts.FunctionMessageExtensions.GetCallData(function);

    private static byte[] NewKey() => System.Security.Cryptography.RandomNumberGenerator.GetBytes(32);

    private static async Task<(ChainPatient Patient, GatewayClient Client)> WalletPatientAsync(Attempt a, Ledger ledger)
    {
        var patient = await ledger.NewPatientAsync();
        return (patient, await a.Stage.Registrar.PatientAsync(patient.Id, "w-" + patient.Id, Stage.App));
    }

    // Whoever has seen r, s and v can write these, and means the same by them.
    private static IEnumerable<(string Sent, byte[] Form)> FormsOf(byte[] signature)
    {
        var (r, v) = (signature[..32], signature[64]);
        var s = new BigInteger(signature.AsSpan(32, 32), isUnsigned: true, isBigEndian: true);
        var high = (Order - s).ToByteArray(isUnsigned: true, isBigEndian: true);
        byte[] mirrored = [.. r, .. new byte[32 - high.Length], .. high];
        yield return ("n - s and the other v", [.. mirrored, (byte)(55 - v)]);
        yield return ("n - s", [.. mirrored, v]);
        yield return ("the other v", [.. signature[..64], (byte)(55 - v)]);
        yield return ("v 0 or 1", [.. signature[..64], (byte)(v - 27)]);
        yield return ("v 29", [.. signature[..64], 29]);
        var compact = signature[..64];
        compact[32] |= (byte)(v - 27 << 7);
        yield return ("the 64 bytes of EIP-2098", compact);
        yield return ("a byte more", [.. signature, 0]);
    }
}
