using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Scenarios;

namespace PmrGateway.Tools.Cases;

/// <summary>Patients whose own wallets control their records, and consents whose signatures are not good for them.</summary>
internal sealed class WalletGrants(CaseContext context)
{
    private readonly Dictionary<string, Wallet> _wallets = [];

    /// <summary>Posts a consent with a signature that is not the patient's.</summary>
    public async Task PostOfOtherSignerAsync(JsonNode consent) => await PostAsync(
        consent, (_, _, intent) => Task.FromResult(new Wallet().SignTypedData(intent.TypedData)));

    /// <summary>Posts a consent while the chain has the patient's grant of another: the hash there is not the stored one's.</summary>
    public async Task PostOfOtherHashAsync(JsonNode consent) => await PostAsync(consent, GrantOtherAsync);

    private Task PostAsync(JsonNode consent, Func<string, Wallet, IntentOffer, Task<byte[]>> sign) =>
        context.PostAsync(consent, async (body, giver) =>
        {
            var patient = ((string)body["patient"]!["reference"]!).Split('/')[1];
            var wallet = await WalletOfAsync(patient);
            var offer = await giver.PostAsync("Consent/$intent", body.ToJsonString());
            if (offer.Status != 200) throw new CaseFailed($"no intent is offered: {offer.Status} {offer.Text}");
            var intent = IntentOffer.Grant(offer);
            var signature = await sign(patient, wallet, intent);
            return (JsonObject)JsonNode.Parse(intent.Signed(body.ToJsonString(), signature))!;
        });

    // The wallet's own grant, good in everything but that it is of another document.
    private async Task<byte[]> GrantOtherAsync(string patient, Wallet wallet, IntentOffer offered)
    {
        var asked = JsonDocument.Parse(offered.TypedData).RootElement.GetProperty("message");
        ulong Seconds(string name) => ulong.Parse(asked.GetProperty(name).ToString(), CultureInfo.InvariantCulture);
        var other = new GrantIntent(
            Convert.FromHexString(asked.GetProperty("patient").GetString()![2..]), RandomNumberGenerator.GetBytes(32),
            Seconds("notBefore"), Seconds("notAfter"), ConsentIntents.NewNonce(),
            BigInteger.Parse(asked.GetProperty("deadline").ToString(), CultureInfo.InvariantCulture));
        var signature = wallet.Sign(context.Stage.Service<ConsentIntents>().Digest(other));
        var command = ChainCommands.Grant(patient, other, signature);
        var journal = context.Stage.Service<ILedgerJournal>();
        await journal.EnqueueAsync([command], default);
        for (var i = 0; i < 300; i++)
        {
            await context.Stage.Chain.MineAsync();
            await Task.Delay(100);
            var status = (await journal.FindAsync(command.Key, default))?.Status;
            if (status == OutboxStatus.Confirmed) return signature;
            if (status == OutboxStatus.Failed) break;
        }
        throw new CaseFailed("the grant of another document does not come onto the chain");
    }

    private async Task<Wallet> WalletOfAsync(string patient)
    {
        if (_wallets.TryGetValue(patient, out var wallet)) return wallet;
        wallet = _wallets[patient] = new Wallet();
        await wallet.TakeOverAsync(context.Stage.Services, patient, async () =>
        {
            await context.Stage.Chain.MineAsync();
            await Task.Delay(100);
        });
        return wallet;
    }
}
