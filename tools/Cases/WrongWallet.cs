using System.Text.Json.Nodes;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Scenarios;

namespace PmrGateway.Tools.Cases;

/// <summary>A patient whose own wallet controls the record, and a consent that another wallet has signed.</summary>
internal sealed class WrongWallet(CaseContext context)
{
    private readonly HashSet<string> _handedOver = [];

    /// <summary>Posts a consent with a signature that is not the patient's.</summary>
    public async Task PostAsync(JsonNode consent) => await context.PostAsync(consent, async (body, giver) =>
    {
        await HandOverAsync(((string)body["patient"]!["reference"]!).Split('/')[1]);
        var offer = await giver.PostAsync("Consent/$intent", body.ToJsonString());
        if (offer.Status != 200) throw new CaseFailed($"no intent is offered: {offer.Status} {offer.Text}");
        var intent = IntentOffer.Grant(offer);
        var signature = new Wallet().SignTypedData(intent.TypedData);
        return (JsonObject)JsonNode.Parse(intent.Signed(body.ToJsonString(), signature))!;
    });

    private async Task HandOverAsync(string patient)
    {
        if (!_handedOver.Add(patient)) return;
        var wallet = new Wallet();
        var row = await UntilAsync(patient, p => p.Controller is not null);
        var controller = Convert.ToHexStringLower(wallet.Address);
        var intent = new HandOverIntent(Convert.FromHexString(row.PatientKey), "0x" + controller, ConsentIntents.NewNonce(), 4_000_000_000);
        var digest = context.Stage.Service<ConsentIntents>().Digest(intent);
        var given = context.Stage.Service<Custody>().AccountOf(row.Custodian).Sign(digest).ToBytes();
        await context.Stage.Service<ILedgerJournal>()
            .EnqueueAsync([ChainCommands.HandOver(patient, intent, given, wallet.Sign(digest))], default);
        if ((await UntilAsync(patient, p => p.Controller == controller)).Controller != controller)
            throw new CaseFailed("the wallet does not get control of the record");
    }

    private async Task<RegisteredPatient> UntilAsync(string patient, Func<RegisteredPatient, bool> ready)
    {
        for (var i = 0; ; i++)
        {
            var now = (await context.Stage.Service<DirectoryStore>().PatientAsync(patient, default))!;
            if (ready(now) || i == 200) return now;
            await context.Stage.Chain.MineAsync();
            await Task.Delay(100);
        }
    }
}
